package ws

import (
	"fmt"
	"hash/crc32"
	"strconv"
)

// peer is an endpoint with what its caller keeps: the bytes that were not consumed.
type peer struct {
	e    Endpoint
	kept []byte
	over bool
}

// feed gives the endpoint what came and returns what it said. The chunk is left as it is.
func (p *peer) feed(chunk []byte, l *Limits) (events []string) {
	if p.over {
		return nil
	}
	p.kept = append(p.kept, chunk...)
	for {
		ev, n := p.e.Next(p.kept, l)
		p.kept = p.kept[n:]
		if ev.Kind == NeedMore {
			return events
		}
		if ev.Kind == Working {
			continue
		}
		events = append(events, describe(ev))
		if ev.Kind == CloseEvent || ev.Kind == Fail {
			p.over = true
			return events
		}
	}
}

func describe(ev Event) string {
	payload := fmt.Sprintf("%d bytes, crc %08x", len(ev.Payload), crc32.ChecksumIEEE(ev.Payload))
	if len(ev.Payload) <= 64 {
		payload = strconv.Quote(string(ev.Payload))
	}
	switch ev.Kind {
	case Message:
		return "message " + opName(ev.Op) + " " + payload
	case PingEvent:
		return "ping " + payload
	case PongEvent:
		return "pong " + payload
	case CloseEvent:
		return fmt.Sprintf("close %d %q", ev.Code, ev.Reason)
	case Fail:
		return fmt.Sprintf("fail %d %s", ev.Code, ev.Reason)
	default:
		return fmt.Sprintf("kind %d", ev.Kind)
	}
}

func opName(o Opcode) string {
	return map[Opcode]string{
		Continuation: "continuation", Text: "text", Binary: "binary", Close: "close", Ping: "ping", Pong: "pong",
	}[o]
}
