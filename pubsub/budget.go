package pubsub

// budget bounds what subscribing to patterns may cost a loop: looks at topics, some 100 ns each. A subscription with a
// snapshot, or with an interval, looks at all topics that its filter may match, and one request can ask for a thousand.
// What one call costs is only known afterwards, so a loop may run into debt by one call; then it says ErrBusy until
// the debt is paid.
type budget struct {
	looks int64 // left
	at    int64 // when that was, on the hub's Clock
}

const (
	looksPerSecond = 1_000_000
	looksBurstMax  = 2_000_000
)

// affords says that there is something left to spend.
func (b *budget) affords(s *Shard) bool {
	now := s.hub.o.Clock()
	if b.at == 0 {
		b.looks = looksBurstMax
	}
	earned := (now - b.at) / (1_000_000_000 / looksPerSecond)
	b.looks, b.at = min(b.looks+earned, looksBurstMax), now
	return b.looks > 0
}

func (b *budget) spend(looks int) { b.looks -= int64(looks) }
