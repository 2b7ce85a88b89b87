package ws

import (
	"bytes"
	"testing"
)

func TestEndpointHoldsNothingWhenIdle(t *testing.T) {
	l := &Limits{MessageBytesMax: 100, FragmentsMax: 10}
	mask := [4]byte{1, 2, 3, 4}
	first := AppendMaskedFrame(nil, Text, mask, []byte("ab"))
	first[0] &^= finBit
	last := AppendMaskedFrame(nil, Continuation, mask, []byte("cd"))

	var e Endpoint
	if !e.Idle() {
		t.Error("a new endpoint is not idle")
	}
	if ev, n := e.Next(bytes.Clone(first), l); ev.Kind != NeedMore || n != len(first) || e.Idle() {
		t.Errorf("first fragment: %v, consumed %d, idle %v", ev, n, e.Idle())
	}
	ev, n := e.Next(bytes.Clone(last), l)
	if ev.Kind != Message || string(ev.Payload) != "abcd" || n != len(last) {
		t.Errorf("last fragment: %v, consumed %d", ev, n)
	}
	if e.Idle() {
		t.Error("idle while the message's bytes are in use")
	}
	if ev, n := e.Next(nil, l); ev.Kind != NeedMore || n != 0 || !e.Idle() {
		t.Errorf("after the message: %v, consumed %d, idle %v", ev, n, e.Idle())
	}
	e.Next(bytes.Clone(first), l)
	if e.Release(); !e.Idle() || e != (Endpoint{}) {
		t.Error("not as new after Release")
	}
}

// TestUnfinishedFramesAreLeftAlone: what is not consumed is presented again, so it must not be unmasked yet.
func TestUnfinishedFramesAreLeftAlone(t *testing.T) {
	frame := AppendMaskedFrame(nil, Binary, [4]byte{1, 2, 3, 4}, []byte("0123456789"))
	for cut := range frame {
		part := bytes.Clone(frame[:cut])
		var e Endpoint
		ev, n := e.Next(part, &Limits{MessageBytesMax: 10})
		if ev.Kind != NeedMore || n != 0 || !bytes.Equal(part, frame[:cut]) {
			t.Errorf("%d bytes of a frame: %v, consumed %d, bytes % x", cut, ev, n, part)
		}
	}
}

func TestAnnouncedLengthTakesNoMemory(t *testing.T) {
	header := append(appendHeader(nil, Binary, 1<<30, maskBit), 1, 2, 3, 4)
	header[0] &^= finBit
	l := &Limits{MessageBytesMax: 1 << 31, FragmentsMax: 10}
	if n := testing.AllocsPerRun(100, func() {
		var e Endpoint
		e.Next(header, l)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
