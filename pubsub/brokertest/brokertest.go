// Package brokertest holds a pubsub.Broker to its contract, by way of the hub that it serves.
package brokertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/megawire/megawire/pubsub"
)

// answerTimeout bounds the wait for a broker that answers later, and for what it delivers.
const answerTimeout = 10 * time.Second

// Run runs the suite. newHub returns a hub of those options, with the broker that is tested.
func Run(t *testing.T, newHub func(testing.TB, pubsub.Options) *pubsub.Hub) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"numbers of a topic rise and its epoch stays", testNumbers},
		{"a publication is copied", testCopied},
		{"a refusal is on the spot, and passes", testRefusal},
		{"a name that is no topic is refused", testNames},
		{"publishers of one topic are put in order", testOrder},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &bench{t: t, woken: make(chan struct{}, 1)}
			b.hub = newHub(t, pubsub.Options{
				Encoders: []pubsub.Encoder{encoder{}}, Epoch: "epoch",
				Wall:                func() int64 { return time.Now().UnixMilli() },
				Steady:              func() int64 { return time.Now().UnixMilli() },
				Clock:               func() int64 { return time.Now().UnixNano() },
				InFlightMessagesMax: inFlightMax, InFlightBytesMax: 1 << 20, InFlightTotalBytesMax: 1 << 20,
				RetainMessagesMax: 10, RetainBytesMax: 1 << 20, RetainMillisMax: 60_000, RetainTotalBytesMax: 1 << 20,
				TopicsMax: 10, TopicIdleMillis: 60_000, SubscriptionsMax: 10, LagTopicsMax: 10, SliceNanos: 2_000_000,
			})
			b.shard = b.hub.NewShard(b, func() {
				select {
				case b.woken <- struct{}{}:
				default:
				}
			})
			id := b.shard.NewSubscriber(1, 0)
			joined, err := b.shard.Subscribe(id, &pubsub.Request{Filter: topic})
			if err != nil {
				t.Fatal(err)
			}
			b.last = joined.Seq
			c.test(t, b)
		})
	}
}

const (
	topic       = "brokertest/a"
	inFlightMax = 200
)

// bench is a hub with one shard and one subscriber, whose sink keeps what comes.
type bench struct {
	t     *testing.T
	hub   *pubsub.Hub
	shard *pubsub.Shard
	woken chan struct{}
	last  uint64 // the newest number that came
	got   []string
}

// publish waits for the broker's answer.
func (b *bench) publish(ctx context.Context, payload []byte) (pubsub.Receipt, error) {
	return b.hub.PublishWait(ctx, &pubsub.Publication{Topic: topic, Content: pubsub.Binary, Payload: payload})
}

func (b *bench) mustPublish(payload []byte) pubsub.Receipt {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	r, err := b.publish(ctx, payload)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// await takes turns until n messages have come.
func (b *bench) await(n int) {
	b.t.Helper()
	timeout := time.After(answerTimeout)
	for len(b.got) < n {
		select {
		case <-b.woken:
		case <-timeout:
			b.t.Fatalf("%d messages came, %d were published", len(b.got), n)
		}
		for b.shard.Turn() {
		}
	}
}

func testNumbers(t *testing.T, b *bench) {
	first := b.mustPublish([]byte("x"))
	if first.Epoch == "" || first.Seq == 0 {
		t.Fatalf("the first receipt is %+v", first)
	}
	for n := range 20 {
		b.await(n + 1)
		last := b.last
		r := b.mustPublish([]byte("x"))
		if r.Epoch != first.Epoch || r.Seq <= last || r.Seq >= 1<<53 {
			t.Fatalf("%+v after %d in epoch %q", r, last, first.Epoch)
		}
	}
	b.await(21)
}

func testCopied(t *testing.T, b *bench) {
	p := &pubsub.Publication{Topic: topic, Payload: []byte("as it was")}
	_, err := b.hub.Publish(p, func(_ pubsub.Receipt, err error) {
		if err != nil {
			t.Error(err)
		}
	})
	if err != nil && !errors.Is(err, pubsub.ErrPending) {
		t.Fatal(err)
	}
	copy(p.Payload, "overwritten")
	*p = pubsub.Publication{Topic: "another", Payload: []byte("overwritten")} // it is ours again, decided or not
	if b.await(1); b.got[0] != "as it was" {
		b.t.Fatalf("%q came", b.got[0])
	}
}

// testRefusal fills what may be in flight without a turn of the loop. A broker that cannot refuse, as one
// whose publications come from elsewhere, takes them all.
func testRefusal(t *testing.T, b *bench) {
	called := make(chan struct{}, 1)
	for range inFlightMax {
		b.mustPublish([]byte("x"))
	}
	_, err := b.hub.Publish(&pubsub.Publication{Topic: topic}, func(pubsub.Receipt, error) { called <- struct{}{} })
	if errors.Is(err, pubsub.ErrPending) {
		return
	}
	if !errors.Is(err, pubsub.ErrNoRoom) {
		t.Fatalf("publishing more than may be in flight: %v", err)
	}
	select {
	case <-called:
		t.Fatal("done was called for what had been refused on the spot")
	default:
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.publish(ctx, nil); !errors.Is(err, pubsub.ErrNoRoom) {
		t.Fatalf("waiting with no time left: %v", err)
	}
	b.await(inFlightMax)
	b.mustPublish([]byte("y"))
	if b.await(inFlightMax + 1); b.got[inFlightMax] != "y" {
		t.Fatalf("after the refused ones came %q", b.got[inFlightMax])
	}
}

func testNames(t *testing.T, b *bench) {
	for _, name := range []string{"", "a/+", "#"} {
		if _, err := b.hub.Publish(&pubsub.Publication{Topic: name}, nil); !errors.Is(err, pubsub.ErrBadTopic) {
			t.Errorf("publishing to %q: %v", name, err)
		}
	}
}

func testOrder(t *testing.T, b *bench) {
	const publishers, each = 4, inFlightMax / 4
	var mu sync.Mutex
	receipts := make(map[uint64]string)
	t.Run("publishers", func(t *testing.T) { // it returns when all of them have
		for i := range publishers {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for n := range each {
					payload := fmt.Sprint(i, " ", n)
					r, err := b.publish(t.Context(), []byte(payload))
					mu.Lock()
					if earlier, twice := receipts[r.Seq]; twice || err != nil {
						t.Errorf("%q has %+v, as %q has: %v", payload, r, earlier, err)
					}
					receipts[r.Seq] = payload
					mu.Unlock()
				}
			})
		}
	})
	b.await(publishers * each)
	next := make(map[string]int)
	for _, payload := range b.got {
		var who string
		var n int
		if _, err := fmt.Sscan(payload, &who, &n); err != nil || n != next[who] {
			t.Fatalf("%q came, of that publisher %d is next: %v", payload, next[who], err)
		}
		next[who]++
	}
}

// Write implements pubsub.Sink; it keeps the payloads and checks the numbers.
func (b *bench) Write(_ uint32, p []byte) int {
	for rest := p; len(rest) > 0; {
		var seq, prev uint64
		var payload string
		n, err := fmt.Sscanf(string(rest), "%d %d %q\n", &seq, &prev, &payload)
		if err != nil || n != 3 || prev != b.last || seq <= prev {
			b.t.Fatalf("%.100q came after %d: %v", rest, b.last, err)
		}
		b.last = seq
		b.got = append(b.got, payload)
		rest = rest[len(fmt.Sprintf("%d %d %q\n", seq, prev, payload)):]
	}
	return len(p)
}

// Rest implements pubsub.Sink; Write takes everything.
func (b *bench) Rest(uint32, []byte) {}

// Overrun implements pubsub.Sink.
func (b *bench) Overrun(uint32) { b.t.Error("messages were lost") }

// Client implements pubsub.Sink.
func (b *bench) Client(owner uint32) pubsub.ClientID { return pubsub.ClientID(owner) }

// encoder writes a message as its number, its predecessor's and its quoted payload.
type encoder struct{}

func (encoder) AppendMessage(dst []byte, m *pubsub.Message) ([]byte, int) {
	return fmt.Appendf(dst, "%d %d %q\n", m.Seq, m.Prev, m.Payload), -1
}

func (encoder) AppendGap(dst []byte, _ string, _, _ uint64, _ pubsub.Reason) ([]byte, bool) {
	return dst, false
}
