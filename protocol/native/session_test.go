package native

import (
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

func (*nowPeer) Reply([]byte) {}

func TestPublishAllocatesNothing(t *testing.T) {
	var n Protocol
	p, request := &nowPeer{}, []byte(`{"op":"publish","id":1,"topic":"a","data":{"x":1}}`)
	if allocs := testing.AllocsPerRun(1000, func() { n.Message(p, ws.Text, request) }); allocs != 0 {
		t.Errorf("%v allocations a publication", allocs)
	}
}
