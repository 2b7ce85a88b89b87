package ws

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// slowEvents decodes a whole input as the RFC says it, one rule after the other, with no thought for speed or for input
// that comes in parts.
func slowEvents(in []byte, l *Limits) (events []string) {
	say := func(format string, a ...any) { events = append(events, fmt.Sprintf(format, a...)) }
	var message []byte
	var kind Opcode
	var compressed bool
	frames := 0
	for {
		if len(in) < 2 {
			return events
		}
		fin, rsv, op := in[0] >= 128, in[0]/16%8, Opcode(in[0]%16)
		masked, length := in[1] >= 128, uint64(in[1]%128)
		control := op >= 8
		if (op > 2 && op < 8) || op > 10 {
			say("fail 1002 use of reserved op code")
			return events
		}
		if control && length > 125 {
			say("fail 1002 control frame payload limit exceeded")
			return events
		}
		if control && !fin {
			say("fail 1002 control frame is not final")
			return events
		}
		if rsv != 0 && l.Inflater == nil {
			say("fail 1002 non-zero rsv bits with no extension negotiated")
			return events
		}
		if !masked {
			say("fail 1002 frames from client to server must be masked")
			return events
		}
		if !control && op != 0 && frames > 0 {
			say("fail 1002 unexpected non-continuation data frame")
			return events
		}
		if op == 0 && frames == 0 {
			say("fail 1002 unexpected continuation data frame")
			return events
		}
		if rsv != 0 && (rsv != 4 || op == 0 || control) {
			say("fail 1002 reserved bits that permessage-deflate does not set there")
			return events
		}
		in = in[2:]
		lengthBytes := map[uint64]int{126: 2, 127: 8}[length]
		if len(in) < lengthBytes {
			return events
		}
		if lengthBytes > 0 {
			length = 0
			for _, b := range in[:lengthBytes] {
				length = length*256 + uint64(b)
			}
			in = in[lengthBytes:]
			if length >= 1<<63 {
				say("fail 1002 header error: the most significant bit must be 0")
				return events
			}
			if length < 126 || (lengthBytes == 8 && length < 65536) {
				say("fail 1002 payload length not in its shortest form")
				return events
			}
		}
		var mask []byte
		if masked {
			if len(in) < 4 {
				return events
			}
			mask, in = in[:4], in[4:]
		}
		if !control {
			switch {
			case length > uint64(l.MessageBytesMax) || uint64(len(message))+length > uint64(l.MessageBytesMax):
				say("fail 1009 message too big")
				return events
			case !fin && frames+2 > l.FragmentsMax:
				say("fail 1009 message in too many fragments")
				return events
			}
		}
		if uint64(len(in)) < length {
			return events
		}
		var payload []byte
		for i := range length {
			payload = append(payload, in[i]^mask[i%4])
		}
		in = in[length:]
		switch {
		case op == Ping:
			say("%s", describe(Event{Kind: PingEvent, Payload: payload}))
		case op == Pong:
			say("%s", describe(Event{Kind: PongEvent, Payload: payload}))
		case op == Close && length == 0:
			say(`close 1005 ""`)
			return events
		case op == Close && length == 1:
			say("fail 1002 status code is not in use")
			return events
		case op == Close:
			code, reason := int(payload[0])*256+int(payload[1]), payload[2:]
			defined := []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}
			switch {
			case code < 1000:
				say("fail 1002 status code is not in use")
			case code == 1004:
				say("fail 1002 status code has no meaning yet")
			case code == 1005 || code == 1006 || code == 1015:
				say("fail 1002 status code is only application level")
			case !slices.Contains(defined, code) && (code < 3000 || code > 4999):
				say("fail 1002 status code is not defined in spec")
			case !utf8.Valid(reason):
				say("fail 1007 invalid utf8 sequence in close reason")
			default:
				say("close %d %q", code, reason)
			}
			return events
		default:
			if frames == 0 {
				kind, compressed = op, rsv != 0
			}
			frames++
			message = append(message, payload...)
			if !fin && !compressed && kind == Text && !canBecomeValid(message, 3) {
				say("fail 1007 text is not valid UTF-8")
				return events
			}
			if !fin {
				continue
			}
			if compressed {
				inflated, err, sure := slowInflate(message, l.MessageBytesMax, l.Inflater.RatioMax)
				switch {
				case !sure:
					say("fail, 1007 or 1009")
					return events
				case errors.Is(err, errInflate):
					say("fail 1007 %v", err)
					return events
				case err != nil:
					say("fail 1009 %v", err)
					return events
				}
				message = inflated
			}
			if kind == Text && !utf8.Valid(message) {
				say("fail 1007 text is not valid UTF-8")
				return events
			}
			say("%s", describe(Event{Kind: Message, Op: kind, Payload: message}))
			message, frames = nil, 0
		}
	}
}

// checkAgainstSlow runs an input through the endpoint in chunks of the given lengths, again and again from the first.
func checkAgainstSlow(t *testing.T, input []byte, lengths []byte, l *Limits) {
	t.Helper()
	want := slowEvents(input, l)
	var got []string
	var p peer
	for i, rest := 0, input; len(rest) > 0; i++ {
		n := len(rest)
		if len(lengths) > 0 {
			n = min(n, 1+int(lengths[i%len(lengths)]))
		}
		got = append(got, p.feed(rest[:n], l)...)
		rest = rest[n:]
	}
	p.e.Release()
	if last := len(want) - 1; last >= 0 && last == len(got)-1 && want[last] == "fail, 1007 or 1009" &&
		(strings.HasPrefix(got[last], "fail 1007 compressed") || strings.HasPrefix(got[last], "fail 1009 message")) {
		got[last] = want[last]
	}
	if !slices.Equal(got, want) {
		t.Errorf("input % x in chunks %d\ngot  %q\nwant %q", input, lengths, got, want)
	}
}

// TestAgainstSlow runs random frames, most of them right, through both decoders.
func TestAgainstSlow(t *testing.T) {
	random := newRandom(t)
	ops := []Opcode{Continuation, Continuation, Text, Text, Binary, Ping, Pong, Close}
	for range 3000 {
		l := &Limits{MessageBytesMax: random.IntN(400), FragmentsMax: 1 + random.IntN(6)}
		if random.IntN(2) == 0 {
			l.Inflater = NewInflater(1 + random.IntN(10))
		}
		var input []byte
		open := false
		for range 1 + random.IntN(12) {
			op := ops[random.IntN(len(ops))]
			if random.IntN(8) > 0 && !op.IsControl() && open != (op == Continuation) {
				op = map[bool]Opcode{true: Continuation, false: Text}[open]
			}
			payload := make([]byte, []int{0, 1, 2, 5, 50, 125, 126, 130}[random.IntN(8)])
			for i := range payload {
				payload[i] = "aé"[random.IntN(3)]
			}
			if op == Close && len(payload) > 2 {
				payload[0], payload[1] = 3, byte(0xe8+random.IntN(8))
			}
			frame := AppendMaskedFrame(nil, op, [4]byte{1, 2, byte(random.Uint32()), 4}, payload)
			fin := op.IsControl() || random.IntN(2) > 0
			if !fin {
				frame[0] &^= finBit
			}
			if !op.IsControl() {
				open = !fin
			}
			if random.IntN(40) == 0 {
				frame[random.IntN(2)] ^= 1 << random.IntN(8)
			}
			input = append(input, frame...)
		}
		chunks := make([]byte, random.IntN(4))
		for i := range chunks {
			chunks[i] = byte(random.IntN(40))
		}
		checkAgainstSlow(t, input, chunks, l)
	}
}
