package protocol

import "github.com/megawire/megawire/pubsub"

// SnapshotMessagesMax bounds the messages that the snapshots (last) of one request bring, all its topics together.
const SnapshotMessagesMax = 10_000

// Ask makes one of a request's subscriptions. room is how many messages the request's snapshots may still bring,
// SnapshotMessagesMax at first; what this one brings is taken off.
func Ask(p Peer, r *pubsub.Request, room *int) (pubsub.Joined, error) {
	if r.Last > 0 && *room == 0 {
		return pubsub.Joined{}, pubsub.ErrSnapshot
	}
	r.SnapshotMax = *room
	joined, err := p.Subscribe(r)
	if err == nil {
		*room -= joined.Snapshot
	}
	return joined, err
}
