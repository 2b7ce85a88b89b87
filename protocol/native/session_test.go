package native

import (
	"slices"
	"strings"
	"testing"

	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/protocol"
	"github.com/megawire/megawire/pubsub"
)

// laterPeer's broker answers when told to.
type laterPeer struct {
	protocol.Peer
	topics  []string
	answers []protocol.Published
	replies []string
}

func (p *laterPeer) Publish(m *pubsub.Publication, later func() protocol.Published) (pubsub.Receipt, error) {
	p.topics = append(p.topics, m.Topic)
	p.answers = append(p.answers, later())
	return pubsub.Receipt{}, pubsub.ErrPending
}

func (p *laterPeer) Admit() int { return 0 }

func (p *laterPeer) Reply(frames []byte) { p.replies = append(p.replies, string(frames)) }

// The answers of a slow broker find their requests, whose bytes are gone by then.
func TestAnswersThatComeLater(t *testing.T) {
	var n Protocol
	p := &laterPeer{}
	for _, request := range []string{
		`{"op":"publish","id":1,"topic":"a","data":1}`,
		`{"op":"publish","id":"two","topic":"b","data":2}`,
		`{"op":"publish","topic":"b","data":3}`,
	} {
		payload := []byte(request)
		n.Message(p, ws.Text, payload)
		clear(payload)
	}
	if strings.Join(p.topics, " ") != "a b b" || len(p.replies) != 0 {
		t.Fatalf("published to %q, replied %q", p.topics, p.replies)
	}
	for i := len(p.answers) - 1; i >= 0; i-- {
		p.answers[i](p, pubsub.Receipt{Epoch: "e", Seq: uint64(i)}, nil)
	}
	if len(p.replies) != 2 || !strings.HasSuffix(p.replies[0], `{"op":"ok","id":"two","topic":"b","epoch":"e","seq":1}`) ||
		!strings.HasSuffix(p.replies[1], `{"op":"ok","id":1,"topic":"a","epoch":"e","seq":0}`) {
		t.Errorf("replied %q", p.replies)
	}
}

// nowPeer's broker decides on the spot.
type nowPeer struct{ protocol.Peer }

func (*nowPeer) Publish(*pubsub.Publication, func() protocol.Published) (pubsub.Receipt, error) {
	return pubsub.Receipt{Epoch: "e", Seq: 1}, nil
}

func (*nowPeer) Admit() int { return 0 }

func (*nowPeer) Reply([]byte) {}

func TestPublishAllocatesNothing(t *testing.T) {
	var n Protocol
	p, request := &nowPeer{}, []byte(`{"op":"publish","id":1,"topic":"a","data":{"x":1}}`)
	if allocs := testing.AllocsPerRun(1000, func() { n.Message(p, ws.Text, request) }); allocs != 0 {
		t.Errorf("%v allocations a publication", allocs)
	}
}

// A client that sends too fast is told, and what it asked for is not done.
func TestRateLimited(t *testing.T) {
	var n Protocol
	p := &fakePeer{wait: 250}
	for _, request := range []string{`{"op":"subscribe","id":1,"topics":["a"]}`, `{"op":"ping","id":2}`, `nonsense`} {
		n.Message(p, ws.Text, []byte(request))
	}
	want := []string{
		`{"op":"error","id":1,"code":"rate_limited","message":"too many messages a second","retry_after":250}`,
		`{"op":"error","id":2,"code":"rate_limited","message":"too many messages a second","retry_after":250}`,
		`{"op":"error","code":"rate_limited","message":"too many messages a second","retry_after":250}`,
	}
	if !slices.Equal(p.replies, want) || len(p.asked) != 0 || len(p.told) != 3 || p.told[0] != "rate_limited" {
		t.Errorf("asked %q, told %q, replied %q", p.asked, p.told, p.replies)
	}
}

// What is much work counts as many messages.
func TestChargeOfRequests(t *testing.T) {
	for _, row := range []struct {
		request string
		want    int
	}{
		{`{"op":"ping"}`, 1},
		{`{"op":"subscribe","topics":["a","b","c"]}`, 3},
		{`{"op":"subscribe","topics":[]}`, 1},
		{`{"op":"unsubscribe","topics":["a","b"]}`, 2},
		{`{"op":"list"}`, 1 + 16/rowsAMessage},
		{`{"op":"presence","topic":"a"}`, 1 + 24/rowsAMessage},
		{`{"op":"nonsense"}`, 1},
	} {
		var n Protocol
		p := &fakePeer{has: make([]string, 16), clients: make([]string, 24)}
		if n.Message(p, ws.Text, []byte(row.request)); p.charged != row.want {
			t.Errorf("%s is worth %d messages, want %d", row.request, p.charged, row.want)
		}
	}
}
