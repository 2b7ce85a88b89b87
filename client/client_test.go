package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// describe writes an event in one line.
func describe(e *Event) string {
	switch e.Kind {
	case Message:
		return fmt.Sprintf("%s %d %s", e.Topic, e.Seq, e.Payload)
	case Gap:
		return fmt.Sprintf("gap %s %d-%d %s", e.Topic, e.From, e.To, e.Reason)
	case State:
		return e.State.String()
	case Goaway:
		return "goaway " + e.RetryIn.String()
	case Unsubscribed:
		return "unsubscribed " + e.Topic
	case Fault:
		return "fault " + e.Err.Error()
	}
	return "?"
}

// read returns the next n events, one a line.
func read(t *testing.T, c *Client, n int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour) // of the bubble's time
	defer cancel()
	var lines []string
	for range n {
		e, err := c.Next(ctx)
		if err != nil {
			lines = append(lines, "end: "+err.Error())
			break
		}
		lines = append(lines, describe(&e))
	}
	return strings.Join(lines, "\n")
}

func want(t *testing.T, got, want string) {
	t.Helper()
	want = strings.TrimSpace(strings.ReplaceAll(want, "\t", ""))
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func subscribe(t *testing.T, c *Client, filters ...string) []Result {
	t.Helper()
	rs, err := c.Subscribe(t.Context(), filters...)
	if err != nil {
		t.Fatalf("subscribe %v: %v", filters, err)
	}
	return rs
}

func TestMessagesOfEachKindArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t, visit{talk: func(p *peer) {
			p.ack("e", "4")
			p.send(`{"topic":"a","seq":5,"ts":1763632800123,"data":{"price": "1.0"}}`,
				`{"topic":"a","seq":6,"ts":1763632800124,"text":"two\nlines"}`,
				`{"topic":"a","seq":7,"ts":1763632800125,"bin":"AAH/"}`,
				`{"op":"news","from":"a later version"}`,
				`{"op":"error","code":"rate_limited","message":"slow down"}`)
			p.untilGone()
		}})
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		rs := subscribe(t, c, "a")
		if len(rs) != 1 || rs[0] != (Result{Filter: "a", Epoch: "e", Seq: 4}) {
			t.Errorf("results: %+v", rs)
		}
		want(t, read(t, c, 1), "connected")
		e, _ := c.Next(t.Context())
		if string(e.Payload) != `{"price": "1.0"}` || e.Content != JSON || e.Prev != 4 || e.Time.UnixMilli() != 1763632800123 {
			t.Errorf("message: %+v", e)
		}
		if string(e.Raw) != `{"topic":"a","seq":5,"ts":1763632800123,"data":{"price": "1.0"}}` {
			t.Errorf("raw: %s", e.Raw)
		}
		e, _ = c.Next(t.Context())
		if string(e.Payload) != "two\nlines" || e.Content != Text {
			t.Errorf("message: %+v", e)
		}
		e, _ = c.Next(t.Context())
		if string(e.Payload) != "\x00\x01\xff" || e.Content != Binary {
			t.Errorf("message: %+v", e)
		}
		want(t, read(t, c, 1), "fault rate_limited: slow down")
	})
}

func TestGapsAreToldInTheirPlace(t *testing.T) {
	message := func(topic string, seq int, more string) string {
		return fmt.Sprintf(`{"topic":%q,"seq":%d,%s"ts":1,"data":0}`, topic, seq, more)
	}
	for _, row := range []struct{ name, frames, want string }{
		{"consecutive numbers have no gap", message("a", 7, "") + "\n" + message("a", 8, ""), "a 7 0\na 8 0"},
		{"the first message seen is where counting starts", message("a", 90, ""), "a 90 0"},
		{"a skipped number is a gap", message("a", 7, "") + "\n" + message("a", 10, ""), "a 7 0\ngap a 8-9 lost\na 10 0"},
		{"prev bridges numbers that never were", message("a", 7, "") + "\n" + message("a", 10, `"prev":7,`), "a 7 0\na 10 0"},
		{"prev tells what is missing", message("a", 7, "") + "\n" + message("a", 10, `"prev":8,`), "a 7 0\ngap a 8-8 lost\na 10 0"},
		{"topics count apart", message("a", 7, "") + "\n" + message("b", 3, "") + "\n" + message("a", 8, ""), "a 7 0\nb 3 0\na 8 0"},
		{"the server's gap closes the count", message("a", 7, "") + "\n" + `{"op":"gap","topic":"a","from":8,"to":20,"reason":"slow"}` +
			"\n" + message("a", 21, ""), "a 7 0\ngap a 8-20 slow\na 21 0"},
		{"a gap of the server's that leaves some out", message("a", 7, "") + "\n" + `{"op":"gap","topic":"a","from":10,"to":20,"reason":"slow"}` +
			"\n" + message("a", 21, ""), "a 7 0\ngap a 8-9 lost\ngap a 10-20 slow\na 21 0"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFakeServer(t, visit{talk: func(p *peer) {
					p.ack("e", "6")
					p.send(strings.Split(row.frames, "\n")...)
					p.untilGone()
				}})
				defer s.stop()
				c := s.client(Options{})
				defer c.Close()
				subscribe(t, c, "a", "b")
				want(t, read(t, c, 2+strings.Count(row.want, "\n")), "connected\n"+row.want)
			})
		})
	}
}

func TestLongListsAreRenewedInBoundedRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var filters []string
		for i := range 1500 {
			filters = append(filters, fmt.Sprintf("t/%d", i))
		}
		for i := range 400 {
			filters = append(filters, fmt.Sprintf("long/%s/%d", strings.Repeat("x", 230), i))
		}
		var sizes [2][]int
		answerAll := func(visit int) func(p *peer) {
			return func(p *peer) {
				for total := 0; total < len(filters); {
					raw, id, topics := p.request()
					p.ackID(id, "e", "1", topics)
					if len(topics) > FiltersPerRequestMax || len(raw) > SubscribeBytesMax+1024 {
						t.Errorf("a request of %d topics and %d bytes", len(topics), len(raw))
					}
					sizes[visit] = append(sizes[visit], len(topics))
					total += len(topics)
				}
				if visit == 1 {
					p.send(`{"topic":"t/3","seq":2,"ts":1,"data":0}`)
					p.untilGone()
				}
			}
		}
		s := newFakeServer(t, visit{talk: answerAll(0)}, visit{talk: answerAll(1)})
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		if rs := subscribe(t, c, filters...); len(rs) != len(filters) || rs[1499].Filter != "t/1499" {
			t.Errorf("%d results", len(rs))
		}
		want(t, read(t, c, 5), "connected\ndisconnected\nreconnecting\nconnected\nt/3 2 0")
		if len(sizes[0]) != 3 || len(sizes[1]) < 3 { // the places take room too
			t.Errorf("subscribed in %v, renewed in %v", sizes[0], sizes[1])
		}
	})
}

func TestAnotherProtocolIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t, visit{other: true, talk: func(p *peer) {
			if kind, frame, err := p.ws.Read(context.Background()); err == nil {
				t.Errorf("it was sent %v %q", kind, frame)
			}
		}})
		defer s.stop()
		if _, err := s.dial(Options{}); !errors.Is(err, ErrNotMegawire) {
			t.Errorf("got %v", err)
		}
	})
}

// TestARenewalThatComesTooSoon: many topics go in one request, and go again no sooner than the server says.
func TestARenewalThatComesTooSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		filters := make([]string, FiltersPerRequestMax)
		for i := range filters {
			filters[i] = fmt.Sprint(i)
		}
		s := newFakeServer(t,
			visit{talk: func(p *peer) { p.ack("e", "1") }},
			visit{talk: func(p *peer) {
				for _, wait := range []time.Duration{20 * time.Second, 3 * time.Second} {
					_, id, topics := p.request()
					if len(topics) != len(filters) {
						t.Errorf("%d topics are asked for at once", len(topics))
					}
					p.send(fmt.Sprintf(`{"op":"error","id":%s,"code":"rate_limited","message":"later","retry_after":%d}`, id, wait.Milliseconds()))
					began := time.Now()
					_, id, _ = p.request()
					if waited := time.Since(began); waited < wait { // by the bubble's clock
						t.Errorf("asked again after %v, want %v", waited, wait)
					}
					p.send(fmt.Sprintf(`{"op":"error","id":%s,"code":"unavailable","message":"once more"}`, id))
				}
				if topics := p.ack("e", "1"); len(topics) != len(filters) {
					t.Errorf("%d topics are asked for in the end", len(topics))
				}
				_, id, _ := p.request()
				p.send(`{"op":"error","id":` + id + `,"code":"rate_limited","message":"later","retry_after":250}`)
				p.untilGone()
			}})
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		subscribe(t, c, filters...)
		want(t, read(t, c, 4), "connected\ndisconnected\nreconnecting\nconnected")
		var refusal *ServerError
		if _, err := c.Publish(t.Context(), "0", Words("x")); !errors.As(err, &refusal) || refusal.RetryAfter != 250*time.Millisecond {
			t.Errorf("a publication too many: %v", err)
		}
	})
}

func TestARenewalThatIsRefusedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t,
			visit{talk: func(p *peer) { p.ack("e", "1") }},
			visit{talk: func(p *peer) {
				_, id, _ := p.request()
				p.send(`{"op":"error","id":` + id + `,"code":"rate_limited","message":"later","retry_after":2000}`)
				_, id, _ = p.request()
				p.send(`{"op":"ok","id":` + id + `,"client":"c","topics":[{"topic":"a","epoch":"e","seq":1},{"topic":"b","error":"forbidden","message":"no"}]}`)
			}},
			visit{talk: func(p *peer) {
				if topics := p.ack("e", "1"); len(topics) != 1 || topics[0] != "a" {
					t.Errorf("renewed %v", topics)
				}
				p.untilGone()
			}})
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		subscribe(t, c, "a", "b")
		want(t, read(t, c, 8), "connected\ndisconnected\nreconnecting\nconnected\nunsubscribed b\ndisconnected\nreconnecting\nconnected")
	})
}

func TestWhenTheClientComesBack(t *testing.T) {
	gone := "end: client: the server refused the connection: "
	steady := visit{talk: (*peer).untilGone}
	for _, row := range []struct {
		name   string
		visits []visit
		want   string
	}{
		{"after 1001", []visit{{talk: closeWith(1001, "draining")}, steady}, "connected\ndisconnected\nreconnecting\nconnected"},
		{"after 4002, slow reader", []visit{{talk: closeWith(4002, "slow")}, steady}, "connected\ndisconnected\nreconnecting\nconnected"},
		{"after 4004, no pong", []visit{{talk: closeWith(4004, "")}, steady}, "connected\ndisconnected\nreconnecting\nconnected"},
		{"after a bare end of the stream", []visit{{talk: func(*peer) {}}, steady}, "connected\ndisconnected\nreconnecting\nconnected"},
		{"after a frame that is not the protocol", []visit{{talk: func(p *peer) { p.send("{"); p.untilGone() }}, steady},
			"connected\ndisconnected\nreconnecting\nconnected"},
		{"not after 1008, policy", []visit{{talk: closeWith(1008, "no")}},
			"connected\nend: failed to get reader: received close frame: status = StatusPolicyViolation and reason = \"no\""},
		{"not after 4003, kicked", []visit{{talk: closeWith(4003, "out")}},
			"connected\nend: failed to get reader: received close frame: status = StatusCode(4003) and reason = \"out\""},
		{"not after 401", []visit{{talk: closeWith(1001, "")}, {status: 401, body: `{"error":{"code":"unauthorized","message":"a token, please"}}`}},
			"connected\ndisconnected\nreconnecting\n" + gone + "401 Unauthorized: a token, please"},
		{"not to another protocol", []visit{{talk: closeWith(1001, "")}, {talk: (*peer).untilGone, other: true}},
			"connected\ndisconnected\nreconnecting\nend: client: what answers does not speak megawire.v1"},
		{"not after 404", []visit{{talk: closeWith(1001, "")}, {status: 404}}, "connected\ndisconnected\nreconnecting\n" + gone + "404 Not Found"},
		{"after 429", []visit{{talk: closeWith(1001, "")}, {status: 429}, steady},
			"connected\ndisconnected\nreconnecting\ndisconnected\nreconnecting\nconnected"},
		{"after 503", []visit{{talk: closeWith(1001, "")}, {status: 503}, steady},
			"connected\ndisconnected\nreconnecting\ndisconnected\nreconnecting\nconnected"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFakeServer(t, row.visits...)
				defer s.stop()
				c := s.client(Options{})
				defer c.Close()
				want(t, read(t, c, 1+strings.Count(row.want, "\n")), row.want)
			})
		})
	}
}

func TestTheServersWaitIsKept(t *testing.T) {
	for _, row := range []struct {
		name        string
		visits      []visit
		states      int
		least, most time.Duration
	}{
		{"goaway is kept to the millisecond", []visit{{talk: func(p *peer) {
			p.send(`{"op":"goaway","reconnect_after":1700}`)
			closeWith(1001, "")(p)
		}}}, 5, 1700 * time.Millisecond, 1700 * time.Millisecond},
		{"Retry-After is the least, with jitter behind it", []visit{{talk: closeWith(1001, "")}, {status: 503, header: "Retry-After: 20"}},
			6, 20 * time.Second, 21500 * time.Millisecond},
		{"otherwise half a second at most", []visit{{talk: closeWith(1001, "")}}, 4, 0, 500 * time.Millisecond},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFakeServer(t, append(row.visits, visit{talk: (*peer).untilGone})...)
				defer s.stop()
				began := time.Now()
				c := s.client(Options{})
				defer c.Close()
				got := read(t, c, row.states)
				if took := time.Since(began); took < row.least || took > row.most || !strings.HasSuffix(got, "connected") {
					t.Errorf("%s after %v, want %v to %v", got, took, row.least, row.most)
				}
			})
		})
	}
}

func TestPublish(t *testing.T) {
	for _, row := range []struct {
		name     string
		do       func(*Client) (Receipt, error)
		request  string
		answer   string
		receipt  Receipt
		errorHas string
	}{
		{"JSON goes byte for byte", func(c *Client) (Receipt, error) {
			return c.Publish(context.Background(), "a", Data([]byte(`{"x": 1.0}`)))
		},
			`{"op":"publish","id":1,"topic":"a","data":{"x": 1.0}}`, `{"op":"ok","id":1,"topic":"a","epoch":"e","seq":9}`, Receipt{"a", "e", 9}, ""},
		{"text", func(c *Client) (Receipt, error) { return c.Publish(context.Background(), `a"b`, Words("hi\n")) },
			`{"op":"publish","id":1,"topic":"a\"b","text":"hi\n"}`, `{"op":"ok","id":1,"topic":"a\"b","epoch":"e","seq":1}`, Receipt{`a"b`, "e", 1}, ""},
		{"bytes, to others", func(c *Client) (Receipt, error) {
			return c.PublishToOthers(context.Background(), "a", Bytes([]byte{0, 255}))
		},
			`{"op":"publish","id":1,"topic":"a","bin":"AP8=","echo":false}`, `{"op":"ok","id":1,"topic":"a","epoch":"e","seq":1}`, Receipt{"a", "e", 1}, ""},
		{"a refusal", func(c *Client) (Receipt, error) { return c.Publish(context.Background(), "a/#", Words("")) },
			`{"op":"publish","id":1,"topic":"a/#","text":""}`, `{"op":"error","id":1,"code":"bad_topic","message":"no wildcards"}`, Receipt{}, "bad_topic: no wildcards"},
		{"the connection breaks before the answer", func(c *Client) (Receipt, error) { return c.Publish(context.Background(), "a", Words("")) },
			`{"op":"publish","id":1,"topic":"a","text":""}`, "", Receipt{}, ErrConnectionLost.Error()},
		{"JSON that is not", func(c *Client) (Receipt, error) { return c.Publish(context.Background(), "a", Data([]byte(`{`))) },
			"", "", Receipt{}, "not valid JSON"},
		{"text that is not UTF-8", func(c *Client) (Receipt, error) { return c.Publish(context.Background(), "a", Words("\xff")) },
			"", "", Receipt{}, "not valid UTF-8"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFakeServer(t, visit{talk: func(p *peer) {
					if raw, _, _ := p.request(); raw != row.request {
						t.Errorf("request %s, want %s", raw, row.request)
					}
					if row.answer != "" {
						p.send(row.answer)
						p.untilGone()
					}
				}})
				defer s.stop()
				c := s.client(Options{NoReconnect: true})
				defer c.Close()
				receipt, err := row.do(c)
				if receipt != row.receipt || (err == nil) != (row.errorHas == "") || err != nil && !strings.Contains(err.Error(), row.errorHas) {
					t.Errorf("%+v, %v", receipt, err)
				}
			})
		})
	}
}

func TestAReaderThatDoesNotReadHoldsTheServerBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64
		s := newFakeServer(t, visit{talk: func(p *peer) {
			p.ack("e", "0")
			for i := 1; i <= 5000; i++ {
				if p.sendUntilRefused(fmt.Sprintf(`{"topic":"a","seq":%d,"ts":1,"data":%d}`, i, i)) != nil {
					return
				}
				sent.Add(1)
			}
			p.untilGone()
		}})
		defer s.stop()
		c := s.client(Options{QueueEventsMax: 100})
		defer c.Close()
		subscribe(t, c, "a")
		time.Sleep(10 * time.Minute) //nolint:forbidigo // the time of the bubble: nobody reads, and nothing times out
		// The queue, the frame in hand and what lies in the reader's buffer of 4 KiB.
		if n := sent.Load(); n < 100 || n > 250 {
			t.Fatalf("the server could send %d messages to a reader that does not read", n)
		}
		want(t, read(t, c, 1), "connected")
		for i := 1; i <= 5000; i++ {
			if e, err := c.Next(t.Context()); err != nil || e.Kind != Message || e.Seq != uint64(i) {
				t.Fatalf("event %d: %s, %v", i, describe(&e), err)
			}
		}
	})
}

func TestTheQueueIsBoundedInBytes(t *testing.T) {
	q := newQueue(1000, 1000)
	big := Event{Raw: make([]byte, 5000)}
	small := Event{Raw: make([]byte, 300)}
	if !q.offer(big) {
		t.Error("one event always fits")
	}
	if q.offer(small) {
		t.Error("a second beyond the bound does not")
	}
	q.take()
	for _, fits := range []bool{true, true, false} {
		if q.offer(small) != fits {
			t.Error("1,000 bytes hold two events of 428")
		}
	}
}

func TestASilentServerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		s := newFakeServer(t,
			visit{talk: func(*peer) { <-hold }}, // answers no ping
			visit{talk: (*peer).untilGone})
		defer s.stop()
		defer close(hold)
		c := s.client(Options{})
		defer c.Close()
		want(t, read(t, c, 1), "connected")
		e, err := c.Next(t.Context())
		if err != nil || e.State != Disconnected || !errors.Is(e.Err, errNoPong) {
			t.Errorf("%s: %v, %v", describe(&e), e.Err, err)
		}
		want(t, read(t, c, 2), "reconnecting\nconnected")
	})
}

func TestUnsubscribeIsNotUndoneByAReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t,
			visit{talk: func(p *peer) {
				p.ack("e", "1")
				p.send(`{"topic":"b","seq":2,"ts":1,"data":0}`)
				p.ack("e", "1") // the unsubscribe
				p.ack("e", "9") // subscribed again, seven messages later
				p.send(`{"topic":"b","seq":10,"ts":1,"data":0}`)
				p.ack("e", "10")
			}},
			visit{talk: func(p *peer) {
				if topics := p.ack("e", "1"); len(topics) != 1 || topics[0] != "a" {
					t.Errorf("renewed %v", topics)
				}
				p.untilGone()
			}})
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		subscribe(t, c, "a", "b")
		for range 2 {
			if _, err := c.Unsubscribe(t.Context(), "b"); err != nil {
				t.Fatal(err)
			}
			if _, ok := c.wanted["b"]; ok {
				t.Error("b is still wanted")
			}
			if len(c.order) == 1 && c.lastID == 2 {
				subscribe(t, c, "b")
			}
		}
		want(t, read(t, c, 6), "connected\nb 2 0\nb 10 0\ndisconnected\nreconnecting\nconnected")
	})
}

// The server takes requests in order: who unsubscribes while a subscribe is under way is not subscribed.
func TestUnsubscribeOvertakesNoSubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t, visit{talk: func(p *peer) {
			_, first, topics := p.request()
			_, second, _ := p.request()
			p.ackID(first, "e", "1", topics)
			p.ackID(second, "e", "1", topics)
			p.untilGone()
		}})
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		var subscribing sync.WaitGroup
		subscribing.Go(func() { subscribe(t, c, "a") })
		synctest.Wait() // for the first answer
		if _, err := c.Unsubscribe(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		subscribing.Wait()
		if _, ok := c.wanted["a"]; ok {
			t.Error("it would come back with the next connection")
		}
	})
}

func TestARequestWaitsForTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t,
			visit{talk: func(p *peer) {
				p.request() // the subscribe, never answered
			}},
			visit{talk: func(p *peer) {
				p.ack("e", "1")
				p.untilGone()
			}})
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		if rs := subscribe(t, c, "a"); len(rs) != 1 || rs[0].Epoch != "e" {
			t.Errorf("results: %+v", rs)
		}
	})
}

func TestARequestEndsWithItsContextAndHarmsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t, visit{talk: func(p *peer) {
			p.request() // never answered
			p.ack("e", "1")
			p.untilGone()
		}})
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Publish(ctx, "a", Words("x")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("publish: %v", err)
		}
		subscribe(t, c, "a")
		want(t, read(t, c, 1), "connected")
	})
}

func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan error, 1)
		s := newFakeServer(t, visit{talk: func(p *peer) {
			p.request()
			_, _, err := p.ws.Read(context.Background())
			closed <- err
		}})
		defer s.stop()
		c := s.client(Options{})
		published := make(chan error, 1)
		go func() {
			_, err := c.Publish(context.Background(), "a", Words("x"))
			published <- err
		}()
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-published; !errors.Is(err, ErrConnectionLost) {
			t.Errorf("the publish in progress: %v", err)
		}
		if err := <-closed; websocket.CloseStatus(err) != websocket.StatusNormalClosure {
			t.Errorf("the server saw %v", err)
		}
		want(t, read(t, c, 2), "connected\nend: client: closed")
		if _, err := c.Subscribe(t.Context(), "a"); !errors.Is(err, ErrClosed) {
			t.Errorf("subscribe after close: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("a second close: %v", err)
		}
	})
}

func TestCloseDuringTheWaitToReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t, visit{talk: closeWith(1001, "")})
		defer s.stop()
		c := s.client(Options{BackoffBase: time.Hour, BackoffCap: time.Hour})
		want(t, read(t, c, 3), "connected\ndisconnected\nreconnecting")
		_ = c.Close()
		want(t, read(t, c, 1), "end: client: closed")
	})
}

func TestTheFirstAttemptThatFailsIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t, visit{status: 503, header: "Retry-After: 7", body: `{"error":{"code":"unavailable","message":"full"}}`})
		defer s.stop()
		_, err := s.dial(Options{})
		var r *RefusedError
		if !errors.As(err, &r) || *r != (RefusedError{503, "unavailable", "full", 7 * time.Second}) {
			t.Errorf("%+v", err)
		}
	})
}
