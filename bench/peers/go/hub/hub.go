// Package hub is as much of megawire.v1 as the load generator needs, for WebSocket libraries that have no protocol of their
// own: topics, who subscribed, and the envelope.
package hub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
)

// Hub holds the topics. C is a connection of the library.
type Hub[C comparable] struct {
	reply     func(C, []byte)
	broadcast func(map[C]struct{}, []byte)

	mu     sync.Mutex
	topics map[string]*topic[C]
	joined map[C][]*topic[C]
}

type topic[C comparable] struct {
	seq         uint64
	subscribers map[C]struct{}
}

// New makes a hub that answers by reply and sends a message to many by broadcast, which is called one message at a time and
// may keep the message.
func New[C comparable](reply func(C, []byte), broadcast func(map[C]struct{}, []byte)) *Hub[C] {
	return &Hub[C]{reply: reply, broadcast: broadcast, topics: map[string]*topic[C]{}, joined: map[C][]*topic[C]{}}
}

type request struct {
	Op     string          `json:"op"`
	ID     json.RawMessage `json:"id"`
	Topics []string        `json:"topics"`
}

type result struct {
	Topic string `json:"topic"`
	Epoch string `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

type answer struct {
	Op     string          `json:"op"`
	ID     json.RawMessage `json:"id"`
	Client string          `json:"client,omitempty"`
	Topics []result        `json:"topics,omitempty"`
}

// Message deals with a text of a client; it keeps none of it.
func (h *Hub[C]) Message(c C, text []byte) {
	if bytes.HasPrefix(text, []byte(`{"op":"publish"`)) {
		h.publish(text)
		return
	}
	var r request
	if err := json.Unmarshal(text, &r); err != nil {
		return
	}
	a := answer{Op: "pong", ID: r.ID}
	if r.Op == "subscribe" {
		a = answer{Op: "ok", ID: r.ID, Client: "0", Topics: h.subscribe(c, r.Topics)}
	}
	out, _ := json.Marshal(a)
	h.reply(c, out)
}

// publish finds its places in the load generator's text, and passes data on as it came.
func (h *Hub[C]) publish(text []byte) {
	_, rest, _ := bytes.Cut(text, []byte(`"topic":"`))
	name, _, found := bytes.Cut(rest, []byte(`"`))
	_, data, has := bytes.Cut(rest, []byte(`"data":`)) // with the request's own closing brace
	if !found || !has {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topic(string(name))
	t.seq++
	message := make([]byte, 0, len(text)+64)
	message = append(message, `{"topic":"`...)
	message = append(message, name...)
	message = append(message, `","seq":`...)
	message = strconv.AppendUint(message, t.seq, 10)
	message = append(message, `,"ts":`...)
	message = strconv.AppendInt(message, time.Now().UnixMilli(), 10)
	message = append(message, `,"data":`...)
	h.broadcast(t.subscribers, append(message, data...))
}

func (h *Hub[C]) topic(name string) *topic[C] {
	t := h.topics[name]
	if t == nil {
		t = &topic[C]{subscribers: map[C]struct{}{}}
		h.topics[name] = t
	}
	return t
}

func (h *Hub[C]) subscribe(c C, names []string) []result {
	h.mu.Lock()
	defer h.mu.Unlock()
	results := make([]result, len(names))
	for i, name := range names {
		t := h.topic(name)
		t.subscribers[c] = struct{}{}
		h.joined[c] = append(h.joined[c], t)
		results[i] = result{name, "0", t.seq}
	}
	return results
}

// Leave forgets a client.
func (h *Hub[C]) Leave(c C) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.joined[c] {
		delete(t.subscribers, c)
	}
	delete(h.joined, c)
}

// Address is where to listen, by the first argument, a port. For "version" instead it prints that of a module, and ends.
func Address(module string) string {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage:", os.Args[0], "PORT | version")
		os.Exit(2)
	}
	if os.Args[1] != "version" {
		return "127.0.0.1:" + os.Args[1]
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == module {
				fmt.Println(d.Version+",", info.GoVersion)
			}
		}
	}
	os.Exit(0)
	return ""
}
