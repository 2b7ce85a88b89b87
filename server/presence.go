package server

import (
	"context"
	"strconv"
	"time"

	"github.com/megawire/megawire/pubsub"
)

// presencePeriod is how often what has changed is told: a thousand joins in a second are five messages.
const presencePeriod = 200 * time.Millisecond

// tellPresence publishes who came and went, until ctx ends.
func (s *Server) tellPresence(ctx context.Context) {
	ticker := time.NewTicker(presencePeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.hub.FlushPresence(encodePresence)
		}
	}
}

// encodePresence is the payload of a message on $presence/<topic>.
func encodePresence(_ string, joined, left []pubsub.ClientID, count int) []byte {
	const around, each = 48, len(`{"client":"3w5e11264sgsf"},`)
	b := make([]byte, 0, around+each*(len(joined)+len(left)))
	b = appendClients(append(b, `{"join":`...), joined)
	b = appendClients(append(b, `,"leave":`...), left)
	b = strconv.AppendInt(append(b, `,"count":`...), int64(count), 10)
	return append(b, '}')
}

func appendClients(dst []byte, ids []pubsub.ClientID) []byte {
	dst = append(dst, '[')
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, `{"client":"`...), formatClientID(id)...), `"}`...)
	}
	return append(dst, ']')
}
