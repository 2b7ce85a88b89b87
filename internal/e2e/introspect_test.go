package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/megawire/megawire/server/config"
)

// call sends a request without a body to the admin listener and decodes the answer into v, unless that is nil.
func (s *site) call(method, path string, v any) (status int) {
	s.t.Helper()
	req, err := http.NewRequest(method, "http://"+s.admin+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && v != nil {
		err = json.Unmarshal(body, v)
	}
	if err != nil {
		s.t.Fatalf("%s %s: %v in %s", method, path, err, body)
	}
	return resp.StatusCode
}

// look is call of a view that is there.
func (s *site) look(path string, v any) {
	s.t.Helper()
	if status := s.call(http.MethodGet, path, v); status != http.StatusOK {
		s.t.Fatalf("GET %s: status %d", path, status)
	}
}

type topicView struct {
	Topic, Epoch          string
	Subscribers, Messages int
	Rate                  float64
	Seq                   uint64
	Bytes, Used           int64
	Last                  *struct {
		Seq, TS uint64
		Data    json.RawMessage
	}
	Presence *struct {
		Count     int
		Clients   []struct{ Client string }
		Truncated bool
	}
}

type clientView struct {
	Client, Address, Protocol string
	Since                     int64
	Subscriptions             int
	Backlog                   struct {
		Topics, Messages int
		MS               int64
		Why              string
	}
	WaitingBytes  int    `json:"waiting_bytes"`
	ReceivedBytes uint64 `json:"received_bytes"`
	SentBytes     uint64 `json:"sent_bytes"`
	Filters       []struct {
		Filter, Mode string
		Every        int
	}
}

// clientPages turns the pages of a list of clients to their end.
func (s *site) clientPages(limit int, query string) (all []clientView) {
	s.t.Helper()
	after := ""
	for {
		var page struct {
			Clients []clientView
			Next    string
		}
		s.look(fmt.Sprintf("/v1/clients?limit=%d&%s&after=%s", limit, query, after), &page)
		if len(page.Clients) > limit {
			s.t.Fatalf("%d clients on a page of %d", len(page.Clients), limit)
		}
		all = append(all, page.Clients...)
		if after = page.Next; after == "" {
			return all
		}
	}
}

func ids(clients []clientView) (ids []string) {
	for _, c := range clients {
		ids = append(ids, c.Client)
	}
	slices.Sort(ids)
	return ids
}

func TestTopicsInPages(t *testing.T) {
	const topics, limit = 250, 37
	r := serve(t, func(c *config.Config) { c.Rules = []config.Rule{{Filter: "pages/room", Presence: true}} })
	var want []string
	var array []string
	for i := range topics {
		name := fmt.Sprintf("pages/%03d", i)
		want = append(want, name)
		array = append(array, fmt.Sprintf(`{"topic":%q,"data":{"n": %d}}`, name, i))
	}
	r.publish("[" + strings.Join(array, ",") + "]")
	r.publish(`{"topic":"other","text":"x"}`)
	r.publish(`{"topic":"pages/007","data":"newest"}`)

	var got []string
	for after := ""; ; {
		var page struct {
			Topics []topicView
			Next   string
		}
		r.look(fmt.Sprintf("/v1/topics?filter=pages/%%2B&limit=%d&after=%s", limit, url.PathEscape(after)), &page)
		for _, v := range page.Topics {
			got = append(got, v.Topic)
			if v.Epoch == "" || v.Messages != int(v.Seq) || v.Last == nil || v.Last.Seq != v.Seq || v.Bytes == 0 || v.Used == 0 || v.Rate <= 0 {
				t.Errorf("%+v", v)
			}
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the pages have %d topics, want each of %d once: %q", len(got), topics, got)
	}

	a, b := r.dial("/ws"), r.dial("/raw/pages%2F007")
	a.subscribe("pages/007")
	ann := a.subscribe("pages/room")
	var v topicView
	eventually(t, func() bool { r.look("/v1/topics/pages/007", &v); return v.Subscribers == 2 },
		func() string { return fmt.Sprintf("%+v, want 2 subscribers", v) })
	if v.Seq != 2 || v.Messages != 2 || string(v.Last.Data) != `"newest"` || v.Presence != nil {
		t.Errorf("%+v", v)
	}
	r.look("/v1/topics/pages/room", &v)
	if v.Presence == nil || v.Presence.Count != 1 || len(v.Presence.Clients) != 1 || v.Presence.Clients[0].Client != ann || v.Presence.Truncated {
		t.Errorf("presence of %s: %+v", ann, v.Presence)
	}
	b.close()

	for path, status := range map[string]int{
		"/v1/topics/nobody/knows": 404, "/v1/topics/pages/%2B": 400, "/v1/topics/": 400, "/v1/topics/pages%00": 400, "/v1/topics/pages%FF": 400,
		"/v1/topics?filter=a%23": 400, "/v1/topics?filter=a/%2Bb": 400, "/v1/topics?filter=" + strings.Repeat("x", 256): 400,
	} {
		var refused struct {
			Error struct{ Code, Message string }
		}
		code := map[int]string{400: "bad_topic", 404: "not_found"}[status]
		if got := r.call(http.MethodGet, path, &refused); got != status || refused.Error.Code != code || refused.Error.Message == "" {
			t.Errorf("%.40s: %d %+v, want %d %s", path, got, refused, status, code)
		}
	}
}

func TestClientsInPages(t *testing.T) {
	const clients, limit = 300, 7
	r := serve(t, nil)
	kinds := map[string][]string{} // ids by topic
	peers := map[string]*peer{}
	for i := range clients {
		p := r.dial("/ws")
		topic := []string{"pages/even", "pages/odd"}[i%2]
		id := p.subscribe(topic, "pages/all")
		kinds[topic] = append(kinds[topic], id)
		peers[id] = p
	}
	r.connect() // no client yet: it has not sent its request
	for topic, want := range kinds {
		slices.Sort(want)
		if got := ids(r.clientPages(limit, "filter="+topic)); !slices.Equal(got, want) {
			t.Errorf("%s: %d clients, want %d, each once", topic, len(got), len(want))
		}
	}
	if got := r.clientPages(limit, "filter=pages/%23"); len(got) > 0 {
		t.Errorf("%d clients with a filter that nobody has", len(got))
	}
	all := r.clientPages(limit, "lagging=0")
	if got, want := ids(all), slices.Sorted(slices.Values(append(kinds["pages/even"], kinds["pages/odd"]...))); !slices.Equal(got, want) {
		t.Errorf("%d clients, want %d, each once", len(got), len(want))
	}
	for _, c := range all {
		if p := peers[c.Client]; p == nil || c.Address != p.nc.LocalAddr().String() || c.Protocol != "native" || c.Subscriptions != 2 ||
			c.ReceivedBytes == 0 || c.Since <= 0 || c.Since > time.Now().UnixMilli() || c.Backlog.Messages != 0 || c.Backlog.Why != "" {
			t.Fatalf("%+v", c)
		}
	}
	if got := r.clientPages(limit, "lagging=1"); len(got) > 0 {
		t.Errorf("%d clients are behind: %+v", len(got), got)
	}
	if got := r.clientPages(1000, ""); len(got) != clients {
		t.Errorf("%d clients on one page", len(got))
	}
	for _, query := range []string{"after=!", "after=zzzzzzzzzzzzz", "filter=a%23"} {
		if status := r.call(http.MethodGet, "/v1/clients?"+query, nil); status != http.StatusBadRequest {
			t.Errorf("%s: status %d", query, status)
		}
	}
}

func TestOneClient(t *testing.T) {
	r := serve(t, nil)
	p, raw := r.dial("/ws"), r.dial("/raw/a/b?echo=1")
	id := p.subscribe("b", "a")
	p.ask(`{"op":"subscribe","topics":[{"topic":"c/#"},{"topic":"d","mode":"latest","every":250}]}`)
	var v clientView
	r.look("/v1/clients/"+id, &v)
	got := fmt.Sprint(v.Filters)
	if v.Client != id || v.Subscriptions != 4 || got != "[{a all 0} {b all 0} {c/#  0} {d latest 250}]" {
		t.Errorf("%+v", v)
	}
	list := r.clientPages(10, "filter=a/b")
	if len(list) != 1 || list[0].Protocol != "raw" || list[0].Address != raw.nc.LocalAddr().String() {
		t.Fatalf("on /raw: %+v", list)
	}
	n, err := strconv.ParseUint(id, 36, 64)
	if err != nil {
		t.Fatal(err)
	}
	later := strconv.FormatUint(n+1<<32, 36)     // another connection in the same place
	elsewhere := strconv.FormatUint(n|1<<63, 36) // on a loop that is not there
	for _, id := range []string{"0", "-1", "zzzzzzzzzzzzzz", "%20", later, elsewhere} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			var refused struct {
				Error struct{ Code, Message string }
			}
			if status := r.call(method, "/v1/clients/"+id, &refused); status != http.StatusNotFound || refused.Error.Code != "not_found" {
				t.Errorf("%s %s: %d %+v", method, id, status, refused)
			}
		}
	}
}

func TestKick(t *testing.T) {
	r := serve(t, nil)
	w := newWitness(r)
	p := r.dial("/ws")
	id := p.subscribe("a")
	var answer struct{ Client string }
	if status := r.call(http.MethodDelete, "/v1/clients/"+id, &answer); status != http.StatusOK || answer.Client != id {
		t.Fatalf("status %d, %+v", status, answer)
	}
	if reason := p.closed(4003); reason != "kicked by an operator" {
		t.Errorf("reason %q", reason)
	}
	if status := r.call(http.MethodDelete, "/v1/clients/"+id, nil); status != http.StatusNotFound {
		t.Errorf("again: status %d", status)
	}
	if status := r.call(http.MethodGet, "/v1/clients/"+id, nil); status != http.StatusNotFound {
		t.Errorf("afterwards: status %d", status)
	}
	r.awaitMetricIs(`megawire_websocket_closes_total{code="4003"}`, 1)
	w.check(t)

	silent := r.dial("/ws") // does not read, so it does not answer the close
	id = silent.subscribe("b")
	r.dial("/ws").subscribe("b")
	var topic topicView
	if r.look("/v1/topics/b", &topic); topic.Subscribers != 2 {
		t.Fatalf("before: %+v", topic)
	}
	r.call(http.MethodDelete, "/v1/clients/"+id, nil)
	if r.look("/v1/topics/b", &topic); topic.Subscribers != 1 {
		t.Errorf("a client that was kicked is still a subscriber: %+v", topic)
	}
	silent.closed(4003)

	raw := r.dial("/raw/lone")
	list := r.clientPages(10, "filter=lone")
	if len(list) != 1 || r.call(http.MethodDelete, "/v1/clients/"+list[0].Client, nil) != http.StatusOK {
		t.Fatalf("on /raw: %+v", list)
	}
	raw.closed(4003)
}

// Those who do not read are listed with what they are behind, the furthest first, and nobody else is.
func TestLaggards(t *testing.T) {
	const messages = 2000
	r := serve(t, func(c *config.Config) { c.Ring.RetainBytes = 64 << 20 })
	reader := r.dial("/ws")
	reader.subscribe("lag/light")
	far, near := r.dialNarrow("/ws"), r.dialNarrow("/ws")
	farID, nearID := far.subscribe("lag/heavy", "lag/light"), near.subscribe("lag/light")
	body := strings.Repeat("x", 4<<10)
	lines := func(topic string, n int) io.Reader {
		return strings.NewReader(strings.Repeat(fmt.Sprintf(`{"topic":%q,"data":%q}`+"\n", topic, body), n))
	}
	if err := r.stream(lines("lag/heavy", messages), messages); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		for range messages {
			if _, _, err := reader.next(); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	if err := r.stream(lines("lag/light", messages), messages); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	var list struct{ Clients []clientView }
	eventually(t, func() bool {
		r.look("/v1/clients?sort=backlog", &list)
		return len(list.Clients) == 2 && list.Clients[0].Backlog.Topics == 2 && list.Clients[1].Backlog.Topics == 1
	}, func() string { return fmt.Sprintf("%+v", list.Clients) })
	for i, id := range []string{farID, nearID} {
		c := list.Clients[i]
		if c.Client != id || c.Backlog.Messages < messages/2 || c.Backlog.MS < 0 || c.Backlog.Why == "" || c.WaitingBytes == 0 || c.SentBytes == 0 {
			t.Errorf("laggard %d: %+v, want %s", i, c, id)
		}
	}
	if list.Clients[0].Backlog.Messages <= list.Clients[1].Backlog.Messages {
		t.Errorf("not the furthest first: %+v", list.Clients)
	}
	want := slices.Sorted(slices.Values([]string{farID, nearID}))
	if got := ids(r.clientPages(1, "lagging=1")); !slices.Equal(got, want) {
		t.Errorf("behind are %q, want %q", got, want)
	}
	if got := ids(r.clientPages(10, "lagging=1&filter=lag/heavy")); !slices.Equal(got, []string{farID}) {
		t.Errorf("behind with lag/heavy are %q, want %q", got, farID)
	}
	r.look("/v1/clients?sort=backlog&limit=1&filter=lag/light", &list)
	if len(list.Clients) != 1 || list.Clients[0].Client != farID {
		t.Errorf("the furthest behind: %+v", list.Clients)
	}
	r.awaitMetricIs("megawire_lagging_subscribers", 2)
	m := r.metrics()
	if sum, most := m["megawire_backlog_messages"], m["megawire_backlog_messages_max"]; sum <= most || most < messages/2 || m["megawire_backlog_seconds_max"] < 0 {
		t.Errorf("%v messages, %v at most", sum, most)
	}

	for i, c := range []*peer{far, near} { // they read, and are behind no more
		for left := messages * (2 - i); left > 0; left-- {
			if _, _, err := c.next(); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, func() bool { return len(r.clientPages(10, "lagging=1")) == 0 }, func() string { return "they are behind still" })
	r.awaitMetricIs("megawire_lagging_subscribers", 0)
	r.awaitMetricIs("megawire_backlog_messages", 0)
}
