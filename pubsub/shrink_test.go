package pubsub

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestQuietTopicShrinks(t *testing.T) {
	w := newWorld(t, nil)
	s := w.newShard()
	r := s.add(1, kindLine)
	s.add(2, kindUpper)
	s.subscribe(1, "a")
	s.subscribe(2, "a")
	for i := range 1000 {
		w.publish("a", fmt.Sprint(i))
	}
	s.run()
	w.wall += 60_001
	for part := range SweepParts {
		w.hub.Sweep(part)
	}
	tp := w.topic("a")
	if len(tp.ring.slots) != 1 || len(tp.logs[0].chunks) != 1 || cap(tp.logs[0].chunks[0].buf) != chunkBytesMin || len(tp.logs[1].chunks) != 0 {
		t.Errorf("a quiet topic keeps %d slots and %d chunks", len(tp.ring.slots), len(tp.logs[0].chunks))
	}
	if got := string(tp.ring.at(999).payload); got != "999" {
		t.Errorf("its newest payload is %q", got)
	}
	if got := w.hub.Stats().RingBytes; got != tp.ring.bytes {
		t.Errorf("the hub counts %d bytes, the topic %d", got, tp.ring.bytes)
	}
	r.got, s.readers[2].got = nil, nil
	w.publish("a", "on")
	s.run()
	if lines(r.got) != "a 1001 on" || lines(s.readers[2].got) != "! a 1001 ON" {
		t.Errorf("then came %q and %q", r.got, s.readers[2].got)
	}
}

func TestTopicThatHasSlowedDownShrinks(t *testing.T) {
	for _, encoders := range [][]Encoder{{lineEncoder{}, upperEncoder{}}, {upperEncoder{}, lineEncoder{}}} { // payload in the frame, and beside it
		w := newWorld(t, func(o *Options) { o.Encoders, o.RetainMessagesMax = encoders, 5000 })
		s := w.newShard()
		s.add(1, 0)
		s.add(2, 1)
		s.subscribe(1, "a")
		s.subscribe(2, "a")
		for i := range 4000 {
			w.publish("a", fmt.Sprintf("%0100d", i))
			if i%100 == 0 {
				s.run()
			}
		}
		w.wall += 50_000
		w.publish("a", "v", "w", "x", "y", "z")
		s.run()
		w.wall += 20_000
		for part := range SweepParts {
			w.hub.Sweep(part)
		}
		tp := w.topic("a")
		first, _ := tp.logs[0].takes(tp.ring.tail)
		second, _ := tp.logs[1].takes(tp.ring.tail)
		if len(tp.ring.slots) != 8 || first > 4*chunkBytesMin || second > 4*chunkBytesMin {
			t.Errorf("5 messages keep %d slots, and %d and %d bytes of chunks", len(tp.ring.slots), first, second)
		}
		if got := w.hub.Stats().RingBytes; got != tp.ring.bytes+tp.encoded || tp.encoded != tp.logs[1].bytes {
			t.Errorf("the hub counts %d bytes, the topic %d and %d", got, tp.ring.bytes, tp.encoded)
		}
		for kind := range encoders {
			got, want := "", ""
			for _, p := range tp.view(nil, Kind(kind), 4000, 4005, math.MaxInt) {
				got += string(p.buf)
			}
			for i, payload := range []string{"v", "w", "x", "y", "z"} {
				seq := uint64(4001 + i)
				frame, _ := encoders[kind].AppendMessage(nil, &Message{Topic: "a", Seq: seq, Prev: seq - 1, Content: Text, Payload: []byte(payload)})
				want += string(frame)
				if kept := string(tp.ring.at(seq - 1).payload); kept != payload {
					t.Errorf("payload %d is %q", seq, kept)
				}
			}
			if got != want {
				t.Errorf("kind %d: kept are %q, want %q", kind, got, want)
			}
		}
	}
}

// A topic whose rings are as long as its messages need is left alone: else it would grow and shrink all the time.
func TestFullRingKeepsItsSlots(t *testing.T) {
	for _, n := range []int{2, 3, 4, 5, 64, 100} {
		w := newWorld(t, func(o *Options) { o.RetainMessagesMax = n })
		for range 3 * n {
			w.publish("a", "x")
		}
		tp := w.topic("a")
		slots := len(tp.ring.slots)
		for range 5 {
			tp.shrink()
			w.publish("a", "x")
			if len(tp.ring.slots) != slots {
				t.Errorf("%d messages had %d slots, and have %d", n, slots, len(tp.ring.slots))
			}
		}
	}
}

// What comes at once stands in few pieces, however little of it is kept: each is a note on each subscriber.
func TestBurstStandsInFewPieces(t *testing.T) {
	for _, bytes := range []int{10, 200, 2000} {
		w := newWorld(t, func(o *Options) { o.RetainMessagesMax = 1 })
		s := w.newShard()
		s.add(1, kindLine)
		s.add(2, kindUpper)
		s.subscribe(1, "a")
		s.subscribe(2, "a")
		s.run()
		for round := range 5 {
			for range 100 {
				w.publish("a", strings.Repeat("x", bytes))
			}
			tp := w.topic("a")
			few := 3 + 100*bytes/chunkBytesMax
			if round == 0 { // each has twice the room of that before
				few += 10
			}
			for _, kind := range []Kind{kindLine, kindUpper} {
				if pieces := tp.view(nil, kind, tp.ring.head-100, tp.ring.head, math.MaxInt); len(pieces) > few {
					t.Errorf("round %d: 100 messages of %d bytes stand in %d pieces of kind %d", round, bytes, len(pieces), kind)
				}
			}
			s.run()
		}
		tp := w.topic("a")
		for range 20 { // minutes
			tp.shrink()
			w.publish("a", strings.Repeat("x", bytes))
			s.run()
		}
		if room, kept := tp.logs[0].takes(tp.ring.tail); room > 3*kept+2*chunkBytesMin {
			t.Errorf("after quiet minutes %d bytes take %d", kept, room)
		}
	}
}

// A burst of large messages is no reason for the next chunk to be larger than they were, nor an old one for any room.
func TestRoomAfterABurst(t *testing.T) {
	for _, bytes := range []int{200, 4000, 16_000, 40_000} {
		w := newWorld(t, func(o *Options) { o.RetainMessagesMax = 1 })
		s := w.newShard()
		s.add(1, kindLine)
		s.subscribe(1, "a")
		s.run()
		one := func(bytes int) {
			w.publish("a", strings.Repeat("x", bytes))
			s.run()
		}
		w.publish("a", strings.Repeat("x", bytes), strings.Repeat("x", bytes))
		s.run()
		one(5)
		tp := w.topic("a")
		if room, _ := tp.logs[0].takes(tp.ring.tail); room > int64(max(2*bytes+1000, chunkBurstsBytesMax)) {
			t.Errorf("after two messages of %d bytes %d are kept for one of 5", bytes, room)
		}
		for range 20 {
			one(bytes)
		}
		tp.shrink()
		one(5)
		if room, _ := tp.logs[0].takes(tp.ring.tail); room > int64(2*bytes+1000) {
			t.Errorf("after messages of %d bytes, one by one, %d are kept for one of 5", bytes, room)
		}
	}
}

// Who keeps up gets everything, however many topics have news at once of which one message is kept.
func TestReaderOfManyBurstsIsNotSlow(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.RetainMessagesMax = 1 })
	s := w.newShard()
	r := s.add(1, kindLine)
	for i := range 20 {
		s.subscribe(1, fmt.Sprint("t", i))
	}
	s.run()
	for range 3 {
		for i := range 20 {
			for range 10 {
				w.publish(fmt.Sprint("t", i), strings.Repeat("x", 200))
			}
		}
		s.run()
	}
	if got, c := strings.Count(string(r.got), "xx\n"), s.shard.Counts(); got != 600 || c.Gaps != 0 {
		t.Errorf("%d of 600 messages came, %d gaps", got, c.Gaps)
	}
}

// A kind of which some messages are wanted, and then those between as well, takes little more than they are.
func TestHolesTakeTheirOwnRoom(t *testing.T) {
	for _, bytes := range []int{1, 60, 130, 250} {
		for _, every := range []uint64{2, 3, 7, 50} {
			w := newWorld(t, nil)
			for i := range 4096 {
				w.publish("a", strings.Repeat("x", bytes*(1+19*(i%9/8)))) // one in nine is long
			}
			tp := w.topic("a")
			check := func(when string) {
				if room, kept := tp.logs[kindUpper].takes(tp.ring.tail); room > 2*kept || kept != tp.encoded {
					t.Errorf("messages of %d bytes, one in %d, %s: %d bytes, counted as %d, take %d", bytes, every, when, kept, tp.encoded, room)
				}
			}
			for pos := tp.ring.tail; pos < tp.ring.head; pos += every {
				tp.view(nil, kindUpper, pos, pos+max(1, every/10), math.MaxInt)
			}
			check("with holes")
			for at := tp.ring.tail; at < tp.ring.head; {
				for _, p := range tp.view(nil, kindUpper, at, tp.ring.head, writeBytesMax) {
					at += uint64(p.len())
				}
			}
			check("filled")
		}
	}
}
