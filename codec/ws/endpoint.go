package ws

import (
	"errors"
	"unicode/utf8"

	"github.com/valyala/bytebufferpool"
)

// EventKind says what an Event is.
type EventKind uint8

// What can come out of an Endpoint.
const (
	NeedMore   EventKind = iota // nothing whole is left in the input
	Message                     // a whole text or binary message: Op, Payload
	PingEvent                   // Payload is to be sent back in a pong (RFC 6455 §5.5.2)
	PongEvent                   // Payload as the peer chose it (§5.5.3)
	CloseEvent                  // Code and Reason of the peer; answer, then read no more (§5.5.1)
	Working                     // a long compressed message is being inflated: call Next again once others have had their turn
	Fail                        // the peer broke a rule: close with Code and Reason, read no more (§7.1.7)
)

// Event is one thing that the peer did. Payload aliases the input, the endpoint's buffer or the Inflater's, and is valid until
// the next call of a method of the Endpoint or of one that has the same Inflater.
type Event struct {
	Kind    EventKind
	Op      Opcode
	Code    CloseCode
	Frames  int32 // that were consumed
	Packed  int   // of a Message: bytes of its payload before it was inflated; 0 if it was not compressed
	Payload []byte
	Reason  string
}

// Limits bounds what a peer may make an Endpoint hold.
type Limits struct {
	MessageBytesMax int // payload of a whole message, compressed and inflated; 0 admits empty messages alone
	FragmentsMax    int // frames of one message; fewer than 1 admits unfragmented messages alone

	// Inflater is for connections that have agreed on permessage-deflate; without one, a compressed message is a fault.
	Inflater *Inflater
}

// Why a message is refused, as the peer gets to read it.
var (
	errTooBig           = errors.New("message too big")
	errTooManyFragments = errors.New("message in too many fragments")
	errTextUTF8         = errors.New("text is not valid UTF-8")
)

// Endpoint is the receiving half of a server's connection: bytes in, events out. The zero value is ready. It belongs to
// one goroutine, and holds memory only while a fragmented message is under way.
type Endpoint struct {
	buf    *bytebufferpool.ByteBuffer // payload of the frames so far; nil while there are none or they were all empty
	frames int                        // of the message under way
	op     Opcode                     // of the message under way; Continuation when there is none
	packed bool                       // the message under way is compressed
	work   *inflation                 // of buf, a whole message; nil unless that is being done, or was by the call before
	kind   Opcode                     // of that message
	whole  int                        // bytes of buf that are whole characters of a text, checked
}

// Next takes the next event out of src, which holds what came after the bytes that earlier calls consumed. n bytes are
// consumed; the caller keeps the others and presents them again with more behind them. It is to be called until it says
// NeedMore, which may itself have consumed fragments of a message. After CloseEvent and Fail there is nothing more to
// read, and Release is due. After Working it is to be called again with what was left, even if that is nothing.
//
// Whole frames are unmasked in place; frames that are still incomplete are left as they came. No memory is taken on the
// strength of a length that a peer merely announced.
func (e *Endpoint) Next(src []byte, l *Limits) (ev Event, n int) {
	if e.Working() {
		return e.inflateOn(), 0
	}
	if e.op == Continuation {
		e.Release() // the message of the call before has been dealt with
	}
	for frames := int32(1); ; frames++ {
		h, size, err := ParseHeader(src[n:], e.state(l))
		if err != nil {
			return fail(ProtocolError, err), len(src)
		}
		if size == 0 {
			return Event{Frames: frames - 1}, n
		}
		if err := e.admit(&h, l); err != nil {
			return fail(MessageTooBig, err), len(src)
		}
		if int64(len(src)-n-size) < h.Length {
			return Event{Frames: frames - 1}, n
		}
		payload := src[n+size:][:h.Length:h.Length]
		Mask(payload, h.Mask, 0)
		n += size + len(payload)
		if ev := e.take(&h, payload, l); ev.Kind == Fail {
			return ev, len(src)
		} else if ev.Kind != NeedMore {
			ev.Frames = frames
			return ev, n
		}
	}
}

// Idle reports that no fragmented message is under way and no buffer is held: the value may be dropped, and a zero one
// used in its place. It is never so between a fragmented message and the call of Next after it.
func (e *Endpoint) Idle() bool { return e.op == Continuation && e.buf == nil && e.work == nil }

// Working reports whether Next has to be called whether more has come or not: a message is being inflated.
func (e *Endpoint) Working() bool { return e.work != nil && !e.work.done }

// Release forgets a message that is under way and gives its buffer back. The endpoint is as new.
func (e *Endpoint) Release() {
	if e.buf != nil {
		bytebufferpool.Put(e.buf)
	}
	if e.work != nil {
		e.work.release()
	}
	*e = Endpoint{}
}

// state is what the next frame is judged by (§5.1, §5.4).
func (e *Endpoint) state(l *Limits) State {
	s := ServerSide
	if e.op != Continuation {
		s |= Fragmented
	}
	if l.Inflater != nil {
		s |= Extended
	}
	return s
}

// admit judges by a frame's header, before its payload is there, whether the message would grow too big (§7.4.1).
func (e *Endpoint) admit(h *Header, l *Limits) error {
	switch {
	case h.OpCode.IsControl():
		return nil
	case h.Length > int64(max(0, l.MessageBytesMax-e.Held())):
		return errTooBig
	case !h.Fin && e.frames+1 >= max(1, l.FragmentsMax): // one more has to come
		return errTooManyFragments
	default:
		return nil
	}
}

// take makes an event of a whole, unmasked frame; NeedMore when it was a fragment with others to come.
func (e *Endpoint) take(h *Header, payload []byte, l *Limits) Event {
	switch {
	case h.OpCode == Ping:
		return Event{Kind: PingEvent, Op: Ping, Payload: payload}
	case h.OpCode == Pong:
		return Event{Kind: PongEvent, Op: Pong, Payload: payload}
	case h.OpCode == Close:
		return closeEvent(payload)
	case h.Fin && h.OpCode != Continuation:
		if h.Rsv != 0 {
			return e.inflate(h.OpCode, payload, l)
		}
		return message(h.OpCode, payload, 0)
	}
	if h.OpCode != Continuation {
		e.op, e.packed = h.OpCode, h.Rsv != 0
	}
	e.frames++
	if len(payload) > 0 {
		if e.buf == nil {
			e.buf = bytebufferpool.Get()
		}
		e.buf.B = append(e.buf.B, payload...)
	}
	if !h.Fin {
		return e.checkBegun()
	}
	op, packed := e.op, e.packed
	e.op, e.packed, e.frames = Continuation, false, 0
	if e.buf != nil {
		payload = e.buf.B
	}
	if packed {
		return e.inflate(op, payload, l)
	}
	return message(op, payload, e.whole)
}

// checkBegun fails a text as soon as nothing that comes can make it right (§8.1). What a compressed one says is known at its
// end.
func (e *Endpoint) checkBegun() Event {
	if e.op != Text || e.packed || e.buf == nil {
		return Event{}
	}
	n, ok := wholeUTF8(e.buf.B[e.whole:])
	if !ok {
		return fail(InvalidPayload, errTextUTF8)
	}
	e.whole += n
	return Event{}
}

// Held is how many bytes the endpoint keeps for a message that is not whole yet, or not inflated.
func (e *Endpoint) Held() (bytes int) {
	if e.buf != nil {
		bytes = len(e.buf.B)
	}
	if e.work != nil {
		bytes += inflationBytes + cap(e.work.out)
	}
	return bytes
}

// inflate makes a message of one that is compressed (RFC 7692 §6.2). A short one is inflated at once, a long one in steps.
func (e *Endpoint) inflate(op Opcode, payload []byte, l *Limits) Event {
	if len(payload) <= atOnceBytesMax {
		out, err := l.Inflater.Inflate(payload, l.MessageBytesMax)
		return inflated(op, out, len(payload), err)
	}
	if e.buf == nil { // else it stands there already
		e.buf = bytebufferpool.Get()
		e.buf.B = append(e.buf.B, payload...)
	}
	e.kind, e.work = op, inflations.Get().(*inflation)
	e.work.begin(e.buf.B, l.MessageBytesMax, l.Inflater.RatioMax)
	return e.inflateOn()
}

// inflateOn takes a further step.
func (e *Endpoint) inflateOn() Event {
	done, err := e.work.step()
	if !done && err == nil {
		return Event{Kind: Working}
	}
	e.work.done = true
	return inflated(e.kind, e.work.out, len(e.buf.B), err)
}

func inflated(op Opcode, out []byte, packedBytes int, err error) Event {
	switch {
	case err == nil:
		ev := message(op, out, 0)
		ev.Packed = packedBytes
		return ev
	case errors.Is(err, errInflate), errors.Is(err, errInflateWaste):
		return fail(InvalidPayload, err)
	default:
		return fail(MessageTooBig, err)
	}
}

// message checks what can only be checked at a message's end (§8.1). Of a text the first so many bytes have been.
func message(op Opcode, payload []byte, checked int) Event {
	if op == Text && !utf8.Valid(payload[checked:]) {
		return fail(InvalidPayload, errTextUTF8)
	}
	return Event{Kind: Message, Op: op, Payload: payload}
}

func fail(code CloseCode, err error) Event {
	return Event{Kind: Fail, Code: code, Reason: err.Error()}
}
