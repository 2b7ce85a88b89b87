package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// wrongClock is a server's time of day that a test sets.
type wrongClock struct {
	*trial
	file   string
	reader *peer
	epoch  string
	seq    uint64
	ts     uint64
}

// The time of day jumps an hour ahead, back, an hour back, and ahead again: ts does not fall, nobody is taken for dead,
// nothing that is kept is lost, and who comes back gets what it missed.
func TestFaultClock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clock")
	t.Setenv("FAULTTEST_CLOCK", file)
	w := &wrongClock{trial: newTrial(t, 0, 0, "--heartbeat.ping_interval=1s", "--heartbeat.pong_timeout=2s", "--topics.idle=10m"), file: file}
	w.reader = w.dial("/ws")
	a := w.reader.ask(`{"op":"subscribe","topics":["clock"]}`)
	w.epoch = a.Topics[0].Epoch
	w.publish(`{"topic":"quiet","data":"kept"}`)
	w.next()
	for _, off := range []time.Duration{time.Hour, 0, -time.Hour, 0} {
		w.jump(off)
		w.next()
		w.next()
		w.late()
	}
	w.reader.close()
	w.outlast()
	w.over(rise{metric: "megawire_pings_total", by: 1, orMore: true}, rise{metric: `megawire_websocket_closes_total{code="4004"}`})
}

// jump sets the clock, and waits until the server has noticed.
func (w *wrongClock) jump(off time.Duration) {
	w.t.Helper()
	if err := os.WriteFile(w.file, fmt.Append(nil, off.Milliseconds()), 0o600); err != nil {
		w.t.Fatal(err)
	}
	var at time.Time
	eventually(w.t, func() bool {
		w.reader.send(`{"op":"ping"}`)
		w.reader.live()
		at = w.heartbeat()
		return time.Until(at.Add(-off)).Abs() < 10*time.Minute
	}, func() string { return fmt.Sprintf("the server's clock says %v", at) })
}

// heartbeat is the server's time of day, as it tells everybody.
func (w *wrongClock) heartbeat() time.Time {
	w.t.Helper()
	resp, err := httpClient.Get("http://" + w.admin + "/v1/topics/$sys/heartbeat")
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	var x struct {
		Last struct{ Data struct{ Time int64 } }
	}
	if err == nil {
		err = json.Unmarshal(body, &x)
	}
	if err != nil {
		w.t.Fatalf("%s: %v", body, err)
	}
	return time.UnixMilli(x.Last.Data.Time)
}

// live is the next text; pings before it are answered.
func (p *peer) live() string {
	p.t.Helper()
	for {
		op, payload, err := p.next()
		switch {
		case err != nil || op != opText && op != opPing:
			p.t.Fatalf("want a text frame or a ping, got opcode %#x, %q, %v", op, payload, err)
		case op == opText:
			return string(payload)
		}
		p.write(frame(final(opPong), payload))
	}
}

// next publishes a message, which must come in its order.
func (w *wrongClock) next() {
	w.t.Helper()
	w.seq++
	w.publish(fmt.Sprintf(`{"topic":"clock","data":%d}`, w.seq))
	text := w.reader.live()
	m, ok := cutMessage([]byte(text))
	ts := timestamp([]byte(text))
	if !ok || m.seq != w.seq || ts < w.ts {
		w.t.Fatalf("got %s after message %d of %d", text, w.seq-1, w.ts)
	}
	w.ts = ts
}

// late is a client that comes back for the last two messages, and for the value that nobody has touched.
func (w *wrongClock) late() {
	w.t.Helper()
	p := w.dial("/ws")
	defer p.close()
	p.send(fmt.Sprintf(`{"op":"subscribe","topics":[{"topic":"clock","since":{"epoch":%q,"seq":%d}}]}`, w.epoch, w.seq-2))
	var a struct{ Topics []struct{ Recovered bool } }
	p.decode(p.live(), &a)
	if len(a.Topics) != 1 || !a.Topics[0].Recovered {
		w.t.Errorf("a resume is answered by %+v", a)
	}
	for seq := w.seq - 1; seq <= w.seq; seq++ {
		text := p.live()
		if m, ok := cutMessage([]byte(text)); !ok || m.seq != seq {
			w.t.Errorf("a resume brings %s, want message %d", text, seq)
		}
	}
	p.send(`{"op":"subscribe","topics":[{"topic":"quiet","last":1}]}`)
	p.live()
	if m, ok := cutMessage([]byte(p.live())); !ok || string(m.data) != `"kept"` {
		w.t.Errorf("the last value is %+v", m)
	}
}
