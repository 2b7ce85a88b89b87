package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"testing"

	"github.com/megawire/megawire/server/config"
)

// Many publishers at once: every subscriber sees one order, in which each publisher's own is kept.
func TestManyPublishers(t *testing.T) {
	const publishers, messages, subscribers = 8, 300, 20
	r := serve(t, nil)
	peers := make([]*peer, subscribers)
	for i := range peers {
		peers[i] = r.dial("/ws?topics=t")
	}
	published := make(chan error, publishers)
	for n := range publishers {
		var lines bytes.Buffer
		for i := range messages {
			fmt.Fprintf(&lines, `{"topic":"t","data":[%d,%d]}`+"\n", n, i)
		}
		go func() { published <- r.stream(&lines, messages) }()
	}
	for range publishers {
		if err := <-published; err != nil {
			t.Fatal(err)
		}
	}
	var order []string
	for i, p := range peers {
		next := [publishers]int{}
		for seq := uint64(1); seq <= publishers*messages; seq++ {
			text := p.text()
			m, ok := cutMessage([]byte(text))
			var from [2]int
			if !ok || m.seq != seq || json.Unmarshal(m.data, &from) != nil || from[1] != next[from[0]] {
				t.Fatalf("subscriber %d: got %s, want message %d; the publishers are at %v", i, text, seq, next)
			}
			next[from[0]]++
			if i == 0 {
				order = append(order, text)
			} else if order[seq-1] != text {
				t.Fatalf("subscriber %d got %s, another one %s", i, text, order[seq-1])
			}
		}
	}
}

// Clients come and go on topics that are busy all the time: nothing is missed or sent twice after the
// answer to a subscribe, and nothing comes after the answer to an unsubscribe.
func TestComingAndGoing(t *testing.T) {
	const clients, cycles, messagesEach = 20, 100, 20
	r := serve(t, func(c *config.Config) { // rings that no reader falls behind, however busy the machine is
		c.Ring.RetainMessages, c.Ring.RetainBytes = 1<<20, 256*config.MiB
	})
	metronome := r.dial("/ws?topics=a")
	body, w := io.Pipe()
	streamed := make(chan error, 1)
	go func() {
		_, _, err := r.post(typeNDJSON, body)
		streamed <- err
	}()
	results := make(chan error, clients)
	for range clients {
		p := r.dial("/ws")
		go func() {
			var err error
			for i := 0; i < cycles && err == nil; i++ {
				err = p.comeAndGo([]string{"a", "b"}, messagesEach)
			}
			results <- err
		}()
	}
	seq := uint64(0)
	for left := clients; left > 0; {
		select {
		case err := <-results:
			left--
			if err != nil {
				t.Error(err)
			}
		default:
			const batch = 20 // the publisher is no further ahead of the metronome than this
			if _, err := w.Write(bytes.Repeat([]byte(`{"topic":"b","data":0}`+"\n"+`{"topic":"a","data":0}`+"\n"), batch)); err != nil {
				t.Fatal(err)
			}
			for range batch {
				seq++
				metronome.message("a", seq, "0")
			}
		}
	}
	_ = w.Close()
	if err := <-streamed; err != nil {
		t.Error(err)
	}
	r.awaitMetricIs("megawire_subscriptions", 1)
}

// comeAndGo subscribes, reads so many messages and unsubscribes.
func (p *peer) comeAndGo(topics []string, messages int) error {
	list, _ := json.Marshal(topics)
	if _, err := p.nc.Write(frame(final(opText), fmt.Appendf(nil, `{"op":"subscribe","topics":%s}`, list))); err != nil {
		return err
	}
	_, text, err := p.next()
	if err != nil {
		return err
	}
	var a ack
	if err := json.Unmarshal(text, &a); err != nil || a.Op != "ok" || len(a.Topics) != len(topics) {
		return fmt.Errorf("got %s instead of the answer to a subscribe, error %w", text, err)
	}
	next := map[string]uint64{}
	for _, r := range a.Topics {
		next[r.Topic] = *r.Seq + 1
	}
	for seen := 0; ; seen++ {
		if seen == messages {
			if _, err := p.nc.Write(frame(final(opText), fmt.Appendf(nil, `{"op":"unsubscribe","topics":%s}`, list))); err != nil {
				return err
			}
		}
		_, text, err := p.next()
		if err != nil {
			return err
		}
		m, ok := cutMessage(text)
		switch {
		case !ok && seen >= messages && bytes.HasPrefix(text, []byte(`{"op":"ok"`)):
			return nil
		case !ok || m.seq != next[string(m.topic)]:
			return fmt.Errorf("got %s, next would be %v", text, next)
		}
		next[string(m.topic)]++
	}
}
