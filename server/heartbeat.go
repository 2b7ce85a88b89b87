package server

import (
	"context"
	"strconv"
	"time"

	"github.com/megawire/megawire/pubsub"
)

// heartbeatTopic has one message a second, for clients that must know that a silent feed is alive.
const heartbeatTopic = "$sys/heartbeat"

// beat publishes heartbeats until ctx ends.
func (s *Server) beat(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	beat := pubsub.Publication{Topic: heartbeatTopic} // one, as an idle server is to make no garbage
	for n := uint64(1); ; n++ {
		beat.Payload = appendHeartbeat(beat.Payload[:0], n, wallMillis())
		// A beat that finds no room is left out, as n shows: the next one tells as much.
		_, _ = s.hub.Publish(&beat, func(pubsub.Receipt, error) {})
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func appendHeartbeat(dst []byte, n uint64, unixMillis int64) []byte {
	dst = strconv.AppendUint(append(dst, `{"n":`...), n, 10)
	dst = strconv.AppendInt(append(dst, `,"time":`...), unixMillis, 10)
	return append(dst, '}')
}
