package pubsub

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// newPresenceWorld is a world where every topic has presence.
func newPresenceWorld(t testing.TB) *world {
	return newWorld(t, func(o *Options) {
		rule := *o.defaultRule()
		rule.Presence = true
		o.Rules = func(topic string) *Rule {
			if topic == "off" {
				return nil
			}
			return &rule
		}
	})
}

func (h *Hub) testPresence(topic string, id ClientID, joined bool) {
	t, err := h.hold(topic, false)
	if err != nil {
		panic(err)
	}
	defer t.mu.Unlock()
	if joined {
		t.presenceJoin(id)
	} else {
		t.presenceLeave(id)
	}
}

// encodePresence gives "+1 +2 -3 =2": who joined, who left, and how many there are.
func encodePresence(_ string, joined, left []ClientID, count int) []byte {
	var b []byte
	for _, id := range joined {
		b = fmt.Appendf(b, "+%d ", id)
	}
	for _, id := range left {
		b = fmt.Appendf(b, "-%d ", id)
	}
	return fmt.Appendf(b, "=%d", count)
}

// told is what was published on a topic and is still kept.
func (w *world) told(topic string) (payloads []string) {
	t := w.hub.lookup(topic)
	if t == nil {
		return nil
	}
	for pos := t.ring.tail; pos < t.ring.head; pos++ {
		payloads = append(payloads, string(t.ring.at(pos).payload))
	}
	return payloads
}

// presenceStep does what a word of a test says: +1 and -1 are a client's joining and leaving, ! is a flush.
func (w *world) presenceStep(topic, word string) {
	if word == "!" {
		w.hub.FlushPresence(encodePresence)
		return
	}
	id, err := strconv.Atoi(word[1:])
	if err != nil {
		w.t.Fatal(err)
	}
	w.hub.testPresence(topic, ClientID(id), word[0] == '+')
}

func TestPresenceIsTold(t *testing.T) {
	for _, c := range []struct {
		why, steps, want string
	}{
		{"who joins", "+1 !", "+1 =1"},
		{"nothing twice", "+1 ! !", "+1 =1"},
		{"many at once, by their ids", "+3 +1 +2 !", "+1 +2 +3 =3"},
		{"who leaves", "+1 +2 ! -1 !", "+1 +2 =2; -1 =1"},
		{"the last one", "+1 ! -1 !", "+1 =1; -1 =0"},
		{"both at once", "+1 +2 ! +3 -1 !", "+1 +2 =2; +3 -1 =2"},
		{"not who came and went meanwhile", "+1 +2 -1 !", "+2 =1"},
		{"nor that alone", "+1 -1 !", ""},
		{"not who went and came back", "+1 +2 ! -1 +1 -2 !", "+1 +2 =2; -2 =1"},
		{"nor that alone", "+1 ! -1 +1 !", "+1 =1"},
		{"to and fro and away", "+1 ! -1 +1 -1 !", "+1 =1; -1 =0"},
		{"coming back later", "+1 ! -1 ! +1 !", "+1 =1; -1 =0; +1 =1"},
		{"who joins twice is one", "+1 +1 ! +1 !", "+1 =1"},
		{"who is not there does not leave", "-1 ! +1 -2 !", "+1 =1"},
	} {
		w := newPresenceWorld(t)
		for _, word := range strings.Fields(c.steps) {
			w.presenceStep("a", word)
		}
		if got := strings.Join(w.told("$presence/a"), "; "); got != c.want {
			t.Errorf("%s: %s: told %q, want %q", c.why, c.steps, got, c.want)
		}
		if n := len(w.hub.presenceNews.topics); n != 0 {
			t.Errorf("%s: news of %d topics are left", c.why, n)
		}
	}
}

func TestPresenceIsAnswered(t *testing.T) {
	w := newPresenceWorld(t)
	longest := strings.Repeat("a", TopicBytesMax-len(PresencePrefix))
	for _, c := range []struct {
		topic string
		ok    bool
		why   string
	}{
		{"a", true, "the rule has it on"},
		{"off", false, "and here off"},
		{longest, true, "with the prefix it is a topic"},
		{longest + "a", false, "and here too long"},
		{"$presence/a", false, "not of presence itself"},
		{"$sys/x", false, "nor of what else is the server's own"},
	} {
		clients, count, ok := w.hub.Presence(c.topic, 10)
		if ok != c.ok || count != 0 || len(clients) != 0 {
			t.Errorf("before there is %.20q: %v, %d, %v: %s", c.topic, clients, count, ok, c.why)
		}
		for _, id := range []ClientID{5, 3, 4} {
			w.hub.testPresence(c.topic, id, true)
		}
		w.hub.testPresence(c.topic, 4, false)
		clients, count, ok = w.hub.Presence(c.topic, 10)
		if ok != c.ok || ok && (count != 2 || !slices.Equal(clients, []ClientID{3, 5})) {
			t.Errorf("of %.20q: %v, %d, %v: %s", c.topic, clients, count, ok, c.why)
		}
		w.hub.FlushPresence(encodePresence)
		if told := w.told(PresencePrefix + c.topic); (len(told) > 0) != c.ok {
			t.Errorf("of %.20q was told %q: %s", c.topic, told, c.why)
		}
	}
	for limit, want := range map[int]int{-1: 0, 0: 0, 1: 1, 2: 2, 3: 2} {
		if clients, count, ok := w.hub.Presence("a", limit); len(clients) != want || count != 2 || !ok {
			t.Errorf("with a limit of %d: %v, %d, %v", limit, clients, count, ok)
		}
	}
}

// TestPresenceOfSubscribers: whoever is subscribed by the very name is present, on whichever loop, and nobody else.
func TestPresenceOfSubscribers(t *testing.T) {
	w := newPresenceWorld(t)
	one, other := w.newShard(), w.newShard()
	for _, c := range []struct {
		why  string
		do   func()
		want string
	}{
		{"on two loops", func() {
			one.add(1, kindLine)
			other.add(2, kindBare)
			one.subscribe(1, "a", "b")
			other.subscribe(2, "a")
		}, "+1 +2 =2"},
		{"again, by other terms", func() {
			if _, err := one.shard.Subscribe(one.readers[1].id, &Request{Filter: "a", Terms: Terms{Mode: ModeLatest}}); err != nil {
				t.Error(err)
			}
		}, ""},
		{"by a pattern", func() {
			one.add(3, kindLine)
			one.subscribe(3, "#", "+")
		}, ""},
		{"refused", func() {
			w.publish("a", "1", "2")
			r := &Request{Filter: "a", Last: 2, SnapshotMax: 1}
			if _, err := one.shard.Subscribe(one.readers[3].id, r); !errors.Is(err, ErrSnapshot) {
				t.Error(err)
			}
		}, ""},
		{"by both", func() { one.subscribe(3, "a") }, "+3 =3"},
		{"by the pattern alone", func() { one.shard.Unsubscribe(one.readers[3].id, "a") }, "-3 =2"},
		{"one unsubscribes", func() { other.shard.Unsubscribe(other.readers[2].id, "a") }, "-2 =1"},
		{"and is not there", func() { other.shard.Unsubscribe(other.readers[2].id, "a") }, ""},
		{"the last one's connection ends", func() { one.remove(1) }, "-1 =0"},
	} {
		before := len(w.told("$presence/a"))
		c.do()
		w.hub.FlushPresence(encodePresence)
		if got := strings.Join(w.told("$presence/a")[before:], "; "); got != c.want {
			t.Errorf("%s: told %q, want %q", c.why, got, c.want)
		}
	}
	if got := strings.Join(w.told("$presence/b"), "; "); got != "+1 =1; -1 =0" {
		t.Errorf("of b was told %q", got)
	}
}

// TestPresenceMessagesAreFew: a thousand clients that join within a second are five messages, not a thousand.
func TestPresenceMessagesAreFew(t *testing.T) {
	w := newPresenceWorld(t)
	for id := range ClientID(1000) {
		w.hub.testPresence("a", id+1, true)
		if id%200 == 199 {
			w.hub.FlushPresence(encodePresence)
		}
	}
	if n := len(w.told("$presence/a")); n != 5 {
		t.Errorf("%d messages in five flushes", n)
	}
}

func TestPresenceMessagesAreShort(t *testing.T) {
	w := newPresenceWorld(t)
	const clients = 2*presencePerMessageMax + 500
	for id := range ClientID(clients) {
		w.hub.testPresence("a", id+1, true)
	}
	joined, messages := make(map[ClientID]bool), 0
	w.hub.FlushPresence(func(_ string, in, out []ClientID, count int) []byte {
		messages++
		if len(in) > presencePerMessageMax || len(out) > 0 || count != clients {
			t.Errorf("%d joined, %d left, %d are there", len(in), len(out), count)
		}
		for _, id := range in {
			joined[id] = true
		}
		return nil
	})
	if messages != 3 || len(joined) != clients {
		t.Errorf("%d messages told of %d clients", messages, len(joined))
	}
}

// TestPresenceOutlivesItsTopic: the last leave is told although the topic has gone, and who comes to the next one of
// that name is not mixed up.
func TestPresenceOutlivesItsTopic(t *testing.T) {
	for _, c := range []struct {
		before, after, want string
	}{
		{"+1 ! -1", "!", "+1 =1; -1 =0"},
		{"+1 ! -1", "+1 !", "+1 =1"},
		{"+1 ! -1", "+2 !", "+1 =1; +2 -1 =1"},
		{"+1 -1", "+2 !", "+2 =1"},
	} {
		w := newPresenceWorld(t)
		for _, word := range strings.Fields(c.before) {
			w.presenceStep("a", word)
		}
		old := w.topic("a")
		if !w.hub.letGo(old, func() bool { return true }) {
			t.Fatal("the topic did not go")
		}
		for _, word := range strings.Fields(c.after) {
			w.presenceStep("a", word)
		}
		if got := strings.Join(w.told("$presence/a"), "; "); got != c.want {
			t.Errorf("%s, gone, %s: told %q, want %q", c.before, c.after, got, c.want)
		}
	}
}

// presenceBroker answers as a test says, and keeps what it took.
type presenceBroker struct {
	answer func(p *Publication) error
	during func()

	mu    sync.Mutex
	told  []string
	later []func(error)
}

func (b *presenceBroker) Publish(p *Publication, done func(Receipt, error)) (Receipt, error) {
	if b.during != nil {
		b.during()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	err, text := b.answer(p), string(p.Payload)
	switch {
	case err == nil:
		b.told = append(b.told, text)
	case errors.Is(err, ErrPending):
		b.later = append(b.later, func(err error) {
			if err == nil {
				b.told = append(b.told, text)
			}
			done(Receipt{}, err)
		})
	}
	return Receipt{}, err
}

func (b *presenceBroker) Interest(Filter, bool) {}

// decide answers what is pending.
func (b *presenceBroker) decide(err error) {
	for _, done := range b.later {
		done(err)
	}
	b.later = nil
}

// TestPresenceIsKeptUntilTold: what a broker refuses is told the next time, with what came meanwhile.
func TestPresenceIsKeptUntilTold(t *testing.T) {
	for _, c := range []struct {
		why, steps, want string
	}{
		{"no room", "+1 full ! room !", "+1 =1"},
		{"several times", "+1 full ! ! +2 ! room !", "+1 +2 =2"},
		{"who goes meanwhile was never there", "+1 +2 full ! -1 room !", "+2 =1"},
		{"who comes back meanwhile never went", "+1 +2 ! -1 full ! +1 -2 room !", "+1 +2 =2; -2 =1"},
		{"nothing is left of it", "+1 full ! -1 room !", ""},
		{"it is pending, then told", "+1 pending ! +2 ! done room !", "+1 =1; +2 =2"},
		{"it is pending, then not", "+1 pending ! +2 ! failed room !", "+1 +2 =2"},
		{"who goes while it is pending", "+1 pending ! -1 ! done room !", "+1 =1; -1 =0"},
		{"and it fails", "+1 pending ! -1 ! failed room !", ""},
	} {
		w := newPresenceWorld(t)
		var answer error
		b := &presenceBroker{answer: func(*Publication) error { return answer }}
		w.hub.broker = b
		for _, word := range strings.Fields(c.steps) {
			switch word {
			case "full":
				answer = ErrNoRoom
			case "room":
				answer = nil
			case "pending":
				answer = ErrPending
			case "done":
				b.decide(nil)
			case "failed":
				b.decide(errors.New("the others are away"))
			default:
				w.presenceStep("a", word)
			}
		}
		if got := strings.Join(b.told, "; "); got != c.want {
			t.Errorf("%s: %s: told %q, want %q", c.why, c.steps, got, c.want)
		}
		if n := len(w.hub.presenceNews.topics); n != 0 {
			t.Errorf("%s: news of %d topics are left", c.why, n)
		}
	}
}

// TestPresenceWaitsForRoom is that with the broker that there is: a loop has not taken the message before.
func TestPresenceWaitsForRoom(t *testing.T) {
	w := newPresenceWorld(t)
	w.hub.o.InFlightMessagesMax = 1
	s := w.newShard()
	r := s.add(9, kindBare)
	s.subscribe(9, "$presence/a")
	for _, word := range strings.Fields("+1 ! +2 ! +3 -1 !") {
		w.presenceStep("a", word)
	}
	s.run()
	w.presenceStep("a", "!")
	s.run()
	if got := lines(r.got); got != "+1 =1; +2 +3 -1 =2" {
		t.Errorf("came %q", got)
	}
}

// TestPresenceHoldsNoLock while it encodes and publishes: a broker may look at any topic.
func TestPresenceHoldsNoLock(t *testing.T) {
	w := newPresenceWorld(t)
	free := func() {
		tp := w.topic("a")
		if !tp.mu.TryLock() || !w.hub.presenceNews.mu.TryLock() {
			t.Fatal("a lock is held")
		}
		tp.mu.Unlock()
		w.hub.presenceNews.mu.Unlock()
	}
	w.hub.broker = &presenceBroker{during: free, answer: func(*Publication) error { return nil }}
	w.presenceStep("a", "+1")
	w.hub.FlushPresence(func(string, []ClientID, []ClientID, int) []byte { free(); return nil })
}

// follow applies what was told to a listener's clients; each message must leave as many as it says.
func follow(t *testing.T, clients map[string]bool, told string) {
	t.Helper()
	for _, word := range strings.Fields(told) {
		id := word[1:]
		switch word[0] {
		case '+', '-':
			if joined := word[0] == '+'; clients[id] == joined {
				t.Fatalf("%q tells of %s what was told before", told, id)
			} else if joined {
				clients[id] = true
			} else {
				delete(clients, id)
			}
		case '=':
			if id != strconv.Itoa(len(clients)) {
				t.Fatalf("after %q there are %d", told, len(clients))
			}
		}
	}
}

// TestPresenceAgainstListener: whatever a broker answers, who follows the messages knows who is there.
func TestPresenceAgainstListener(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	w := newPresenceWorld(t)
	b := &presenceBroker{answer: func(*Publication) error { return []error{nil, ErrNoRoom, ErrPending}[r.IntN(3)] }}
	w.hub.broker = b
	there, known := make(map[string]bool), make(map[string]bool)
	for range 20_000 {
		switch n := r.IntN(20); {
		case n < 15:
			id := r.IntN(20) + 1
			if joined := r.IntN(2) == 0; joined {
				there[strconv.Itoa(id)] = true
				w.hub.testPresence("a", ClientID(id), true)
			} else {
				delete(there, strconv.Itoa(id))
				w.hub.testPresence("a", ClientID(id), false)
			}
		case n < 18:
			w.hub.FlushPresence(encodePresence)
		case n == 18:
			b.decide([]error{nil, ErrFull}[r.IntN(2)])
		case len(there) == 0:
			if tp := w.hub.lookup("a"); tp != nil {
				w.hub.letGo(tp, func() bool { return true }) // the next to come makes another one of that name
			}
		}
		for _, told := range b.told {
			follow(t, known, told)
		}
		b.told = nil
	}
	b.decide(nil)
	b.answer = func(*Publication) error { return nil }
	w.hub.FlushPresence(encodePresence)
	for _, told := range b.told {
		follow(t, known, told)
	}
	if !maps.Equal(there, known) {
		t.Errorf("there are %v, known are %v", there, known)
	}
}

// TestPresenceFromManyGoroutines is for the race detector, and for what is left when all is quiet.
func TestPresenceFromManyGoroutines(t *testing.T) {
	w := newPresenceWorld(t)
	b := &presenceBroker{answer: func(*Publication) error { return nil }}
	w.hub.broker = b
	var wg sync.WaitGroup
	for g := range ClientID(4) {
		wg.Go(func() {
			for i := range ClientID(500) {
				id := 100*(g+1) + i%10
				w.hub.testPresence("a", id, i/10%2 == 0)
				if i%7 == 0 {
					w.hub.FlushPresence(encodePresence)
				}
			}
		})
	}
	wg.Wait()
	w.hub.FlushPresence(encodePresence)
	known := make(map[string]bool)
	for _, told := range b.told {
		for _, word := range strings.Fields(told) {
			if word[0] != '=' {
				known[word[1:]] = word[0] == '+'
			}
		}
	}
	maps.DeleteFunc(known, func(_ string, in bool) bool { return !in })
	if _, count, _ := w.hub.Presence("a", 0); count != 0 || len(known) != 0 {
		t.Errorf("%d are there, known are %v", count, known)
	}
}
