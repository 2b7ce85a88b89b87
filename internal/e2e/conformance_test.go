package e2e

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/megawire/megawire/internal/dialogues"
	"github.com/megawire/megawire/server/config"
)

// TestConformance holds dialogues over real sockets, those of testdata/conformance/*.txt. In them
//
//	server large                     by which of conformanceServers all of a file's dialogues are answered
//	# what it shows
//	> upgrade /echo                  an upgrade request goes out; "| Name: value" adds headers to it
//	> "GET / HTTP/1.1\r\n\r\n"       bytes go out
//	> text nofin rsv=2 "abc"*100     a frame goes out; as in the dialogues of codec/ws
//	half-close                       we end our side of the stream
//	reset                            we reset the connection
//	< 101                            what comes: a response, a frame, the stream's end (eof)
//	< end                            eof or reset, of a client that goes on after both have closed
//
// Each dialogue is a paragraph of its own, on a connection of its own. As many lines are read as stand there, and then nothing
// more may come: unless the stream has ended, a ping is answered next. Lines that go out together go in one write. All is
// said again with one byte a write, with all that goes out in one write at the beginning, and cut at random; the answers
// must be the same. -rewrite writes them.
func TestConformance(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dialogues.Run(t, "testdata/conformance/*.txt", func(t *testing.T, text string) string { return holdDialogues(t, text, random) })
}

var conformanceServers = map[string]func(*config.Config){
	"usual": func(*config.Config) {},
	"large": func(c *config.Config) {
		c.Limits.MessageBytes, c.Ring.InflightBytes, c.Limits.Fragments = 16*config.MiB, 16*config.MiB, 65537
		c.Limits.BytesPerSecond = config.GiB
	},
	"guarded": func(c *config.Config) {
		c.Anonymous.Subscribe, c.Origins = []string{witnessTopic, "open/#"}, []string{"https://app.example"}
	},
	"full": func(c *config.Config) { c.Limits.Connections = 1 }, // which the witness is
	"narrow": func(c *config.Config) {
		c.Limits.HeadBytes, c.Limits.MessageBytes, c.Limits.Fragments = config.KiB, config.KiB, 3
	},
	"plain": func(c *config.Config) { c.Deflate.Enabled, c.Echo.Enabled = false, false },
}

func holdDialogues(t *testing.T, text string, random *rand.Rand) (out string) {
	paragraphs := strings.Split(strings.TrimSpace(text), "\n\n")
	name, ok := strings.CutPrefix(paragraphs[0], "server ")
	if !ok || conformanceServers[name] == nil {
		t.Fatalf("it begins with %q", paragraphs[0])
	}
	r := serve(t, func(c *config.Config) {
		conformanceServers[name](c)
		c.Heartbeat.PingInterval = time.Hour // nothing is said that nobody asked for
	})
	w := newWitness(r)
	out = paragraphs[0] + "\n"
	for _, paragraph := range paragraphs[1:] {
		d := parseDialogue(t, paragraph)
		said := d.hold(t, r, writeTogether)
		out += "\n" + said
		if got := d.hold(t, r, writeBytes); got != said {
			t.Errorf("a byte at a time:\n%s\nonce it was\n%s", got, said)
		}
		if got := d.hold(t, r, chunkAtRandom(random)); got != said {
			t.Errorf("cut at random:\n%s\nonce it was\n%s", got, said)
		}
		ahead := d.ahead()
		said = ahead.text
		if got := ahead.hold(t, r, writeTogether); got != said {
			t.Errorf("all at once:\n%s\nonce it was\n%s", got, said)
		}
	}
	w.check(t)
	r.awaitMetricIs("megawire_connections", 1)
	return out
}

// hold says the dialogue on a new connection. It returns it as it went.
func (d *dialogue) hold(t *testing.T, r *rig, cut chunker) string {
	t.Helper()
	p := r.connect()
	p.t = t
	defer p.close()
	l := listener{peer: p}
	wrote := make(chan struct{})
	close(wrote)
	over := false
	for i := range d.lines {
		line := &d.lines[i]
		switch {
		case line.kind == expected:
			got := l.next()
			ends := got == "eof" || got == "reset"
			if !ends || line.text != "< end" {
				line.text = "< " + got
			}
			over = over || ends
		case line.kind == halfClose:
			<-wrote
			if err := p.nc.(*net.TCPConn).CloseWrite(); err != nil {
				t.Error(err)
			}
		case line.kind == reset:
			<-wrote
			if err := p.nc.(*net.TCPConn).SetLinger(0); err != nil {
				t.Error(err)
			}
			p.close()
			over = true
		case len(line.out) > 0: // what goes out may be more than fits the socket until we read
			before := wrote
			wrote = make(chan struct{})
			go func(done chan struct{}) {
				defer close(done)
				<-before
				for chunk := range cut(line.out) {
					if _, err := p.nc.Write(chunk); err != nil {
						return // a server that has read enough may close before all is written
					}
				}
			}(wrote)
		}
	}
	if !over {
		<-wrote
		p.write(frame(final(opPing), []byte("nothing more?")))
		if got := l.next(); got != `pong "nothing more?"` {
			t.Errorf("after %s\nthere came %s", d.text, got)
		}
	}
	p.close()
	<-wrote
	return d.String()
}

// listener tells what comes.
type listener struct {
	peer     *peer
	upgraded bool
}

func (l *listener) next() string {
	if !l.upgraded {
		if _, err := l.peer.r.Peek(1); err != nil {
			return ended(err)
		}
		a, err := l.peer.response()
		if err != nil {
			return fmt.Sprintf("response: %v", err)
		}
		l.upgraded = a.status == 101
		return a.describe()
	}
	f, err := l.peer.nextFrame()
	if err != nil {
		return ended(err)
	}
	return f.describe()
}

func ended(err error) string {
	switch {
	case errors.Is(err, io.EOF):
		return "eof"
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	default:
		return err.Error()
	}
}
