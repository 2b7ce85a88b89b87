package server

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/internal/buildinfo"
	"github.com/megawire/megawire/protocol"
	"github.com/megawire/megawire/pubsub"
	"github.com/megawire/megawire/server/admin"
)

// backend is what the admin listener sees of the server: admin.Backend, for any goroutine.
type backend Server

func (b *backend) Publish(ctx context.Context, p *admin.Publication) (admin.Receipt, error) {
	if err := b.Check(p); err != nil {
		return admin.Receipt{}, err
	}
	m := pubsub.Publication{Topic: p.Topic, Content: pubsub.Content(p.Content), Payload: p.Payload}
	for _, text := range p.Exclude {
		if id, ok := parseClientID(text); ok { // an unknown client is left out by nature
			m.Exclude = append(m.Exclude, id)
		}
	}
	r, err := b.hub.PublishWait(ctx, &m)
	if err != nil {
		if ctx.Err() != nil {
			return admin.Receipt{}, ctx.Err()
		}
		code, message := protocol.Explain(err, "publish", p.Topic)
		return admin.Receipt{}, admin.Fault{Code: code, Message: message}
	}
	b.published.in[sourceAdmin].Add(1)
	return admin.Receipt{Epoch: r.Epoch, Seq: r.Seq}, nil
}

func (b *backend) Refused(code string) { b.published.refused[refusal(code)].Add(1) }

// Check implements admin.Backend. Whoever can reach the admin listener may publish to every topic but
// the server's own.
func (b *backend) Check(p *admin.Publication) error {
	var err error
	switch {
	case !pubsub.ValidTopic(p.Topic):
		err = pubsub.ErrBadTopic
	case pubsub.Reserved(p.Topic):
		err = pubsub.ErrReservedTopic
	case len(p.Payload) > int(b.cfg.Limits.MessageBytes):
		return admin.Fault{Code: codes.TooLarge, Message: fmt.Sprintf(
			"the payload has %d bytes, limits.message_bytes is %d", len(p.Payload), int(b.cfg.Limits.MessageBytes))}
	case p.Content != admin.ContentBinary && !utf8.Valid(p.Payload):
		return admin.Fault{Code: codes.BadRequest, Message: "the payload is not valid UTF-8"}
	}
	if err == nil {
		return checkExclude(p.Exclude)
	}
	code, message := protocol.Explain(err, "publish", p.Topic)
	return admin.Fault{Code: code, Message: message}
}

// checkExclude refuses what no client's id can be: a name put there would leave nobody out.
func checkExclude(ids []string) error {
	for _, text := range ids {
		if id, ok := parseClientID(text); !ok || formatClientID(id) != text {
			return admin.Fault{Code: codes.BadRequest, Message: fmt.Sprintf(
				"exclude: %.64q is not a client id, as \"client\" in an ack of subscribe gives it", text)}
		}
	}
	return nil
}

func (b *backend) Ready() (ready bool, why string) {
	if err := (*Server)(b).unready(); err != nil {
		return false, err.Code
	}
	return true, ""
}

func (b *backend) Stats() admin.Stats { return (*Server)(b).stats() }

// info is the answer of /v1/info.
type info struct {
	Version        string `json:"version"`
	Commit         string `json:"commit"`
	Go             string `json:"go"`
	Epoch          string `json:"epoch"`
	Listen         string `json:"listen"`
	Loops          int    `json:"loops"`
	ConnectionsMax int64  `json:"connections_max"`
	MemoryMark     uint64 `json:"memory_mark_bytes"`
	Config         any    `json:"config"`
}

func (b *backend) Info() any {
	build := buildinfo.Get()
	return info{
		Version: build.Version, Commit: build.Commit, Go: build.GoVersion, Epoch: b.hub.Epoch(),
		Listen: b.poller.Addr(), Loops: len(b.workers), ConnectionsMax: b.connectionsMax, MemoryMark: b.memory.shortage.mark, Config: b.cfg.Values(),
	}
}

// seconds rounds a duration up to whole loop seconds.
func seconds(d time.Duration) uint32 { return uint32((d + time.Second - 1) / time.Second) }
