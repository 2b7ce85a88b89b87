package e2e

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// soakTopic is a topic that one publisher alone publishes to, so that what a number stands for is known without
// writing it down: a capture begins anew when it has come to its end.
type soakTopic struct {
	name string
	data [][]byte      // what is published, over and over; nil: numbers
	sent atomic.Uint64 // messages that the publisher has sent, or is about to; written by its goroutine alone

	seen uint64 // the newest number that any client has had; of the crowd's goroutine
}

// payload is what was published under a number.
func (f *soakTopic) payload(seq uint64) []byte {
	if f.data == nil {
		return fmt.Appendf(nil, `{"n":%d}`, seq)
	}
	return f.data[(seq-1)%uint64(len(f.data))]
}

// number is the newest number under which a payload may have been published; 0 is none.
func (f *soakTopic) number(payload []byte) uint64 {
	sent := f.sent.Load()
	if f.data == nil {
		digits := bytes.TrimSuffix(bytes.TrimPrefix(payload, []byte(`{"n":`)), []byte("}"))
		if n, err := strconv.ParseUint(string(digits), 10, 53); err == nil && n <= sent {
			return n
		}
		return 0
	}
	for back := range uint64(len(f.data)) {
		if back < sent && bytes.Equal(f.payload(sent-back), payload) {
			return sent - back
		}
	}
	return 0
}

// distinct says that no two messages of the capture are alike.
func (f *soakTopic) distinct() bool {
	seen := map[string]bool{}
	for _, d := range f.data {
		seen[string(d)] = true
	}
	return len(seen) == len(f.data)
}

// feed publishes a capture in a loop, at a steady rate, in one request after another.
type feed struct {
	site      *site
	lines     [][]byte
	topicOf   []*soakTopic // of each line
	perSecond int
	at        int // the next line
}

// stintSeconds is how long one request of a feed lasts: short, so that what a request leaves behind is there many
// times in the end, and so that a feed ends soon.
const stintSeconds = 2

// run publishes until stop is closed, and tells how many messages it has published, or that the server has not taken all.
func (f *feed) run(stop <-chan struct{}) (published int, err error) {
	for {
		select {
		case <-stop:
			return published, nil
		default:
		}
		r, w := io.Pipe()
		n := stintSeconds * f.perSecond
		go f.stint(w, n)
		err := f.site.stream(r, n)
		_ = r.Close() // the stint ends, if it has not
		if err != nil {
			return published, err
		}
		published += n
	}
}

// stint writes n lines as they are due.
func (f *feed) stint(w *io.PipeWriter, n int) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	start := time.Now()
	var due []byte
	for done := 0; done < n; <-ticker.C {
		due = due[:0]
		for ; done < n && done <= int(time.Since(start).Seconds()*float64(f.perSecond)); done++ {
			f.topicOf[f.at].sent.Add(1)
			due = append(due, f.lines[f.at]...)
			f.at = (f.at + 1) % len(f.lines)
		}
		if _, err := w.Write(due); err != nil {
			return // the reader has gone, and says why
		}
	}
	_ = w.Close()
}

// Topics of messages that are long, so that who stops reading loses some before long: the default keeps 1 MiB of them.
const (
	bulkTopics = 2
	bulkBytes  = 16 << 10 // of a message
	bulkCycle  = 40       // messages until the first comes again
	bulkPrefix = "bulk/"
)

func bulkCapture(t *testing.T) *capture {
	var lines bytes.Buffer
	for i := range bulkTopics * bulkCycle {
		name := fmt.Sprint(bulkPrefix, i%bulkTopics)
		fmt.Fprintf(&lines, `{"ts":%d,"topic":%q,"data":%s}`+"\n", i, name, appendBulk(nil, i))
	}
	return parseCapture(t, lines.Bytes())
}

// appendBulk appends digits that do not repeat for long, and no two messages alike.
func appendBulk(dst []byte, i int) []byte {
	dst = append(dst, '[')
	for x := uint64(i + 1); len(dst) < bulkBytes; x = x*6364136223846793005 + 1442695040888963407 {
		dst = append(strconv.AppendUint(dst, x>>40, 10), ',')
	}
	return append(dst, "0]"...)
}

// addFeed makes the topics of a capture known, and the feed that publishes it.
func (s *soak) addFeed(c *capture, perSecond int) {
	f := &feed{site: &s.process.site, lines: c.lines, perSecond: perSecond, topicOf: make([]*soakTopic, len(c.lines))}
	for _, name := range c.topics {
		s.addTopic(name, c.data[name])
	}
	for i, line := range c.lines {
		_, rest, _ := bytes.Cut(line, []byte(`"topic":"`))
		name, _, _ := bytes.Cut(rest, []byte(`"`))
		f.topicOf[i] = s.topics[string(name)]
	}
	s.feeds = append(s.feeds, f)
}

func (s *soak) addTopic(name string, data [][]byte) *soakTopic {
	f := &soakTopic{name: name, data: data}
	s.topics[name] = f
	s.names = append(s.names, name)
	return f
}

// startFeeds publishes until stopFeeds.
func (s *soak) startFeeds() {
	s.stop, s.fed = make(chan struct{}), make(chan fedResult, len(s.feeds))
	for _, f := range s.feeds {
		go func() {
			n, err := f.run(s.stop)
			s.fed <- fedResult{n, err}
		}()
	}
	s.t.Cleanup(func() {
		if s.stop != nil {
			close(s.stop)
			for range s.feeds {
				<-s.fed
			}
		}
	})
}

// fedResult is what a feed has to say in the end.
type fedResult struct {
	published int
	err       error
}

// stopFeeds lets each feed end what it has begun.
func (s *soak) stopFeeds() {
	close(s.stop)
	s.stop = nil
	ended := 0
	s.until("the feeds have ended", func() bool {
		select {
		case r := <-s.fed:
			ended++
			s.publishedByAdmin += r.published
			if r.err != nil {
				s.fail(r.err)
			}
		default:
		}
		return ended == len(s.feeds)
	})
}

// publishRound publishes the next message of each topic that has a capture, in one request.
func (s *soak) publishRound() {
	var entries []string
	for _, name := range s.names {
		if f := s.topics[name]; f.data != nil {
			entries = append(entries, fmt.Sprintf(`{"topic":%q,"data":%s}`, name, f.payload(f.sent.Add(1))))
		}
	}
	s.process.publish("[" + strings.Join(entries, ",") + "]")
	s.publishedByAdmin += len(entries)
}
