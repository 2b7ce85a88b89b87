package pubsub

import (
	"bytes"
	"strconv"
	"strings"

	truth "github.com/megawire/megawire/internal/model"
)

// drain lets a reader's kernel take what it was left with.
func (m *semantics) drain(p *party) {
	m.parse(p)
	p.sink.drain(p.owner)
}

// parse reads what has come whole since last time.
func (m *semantics) parse(p *party) {
	if p.blocked {
		p.clear = m.mono
	}
	for {
		if p.began == 0 {
			p.began = m.mono
		}
		line, _, ok := bytes.Cut(p.got[p.parsed:], []byte("\n"))
		if !ok {
			break
		}
		p.parsed += len(line) + 1
		m.trace("    %d << %.50s", p.owner, line)
		m.began, p.began = p.began, 0
		if p.overruns == 0 {
			for _, frame := range m.plant.tamper(m, p, m.decode(p, string(line))) {
				found(p.about(p.take(&frame)))
			}
		}
		m.began = 0
		for _, event := range p.after {
			found(p.about(event()))
		}
		p.after = nil
	}
	if p.parsed == len(p.got) {
		p.began = 0
	}
}

// arrival is a frame as it came: a message, or a notice if it has a reason.
type arrival struct {
	truth.Frame
	to     uint64 // of a notice
	reason string
}

func (p *party) take(a *arrival) error {
	if a.reason != "" {
		return p.account.Gap(a.Topic, a.Seq, a.to, a.reason)
	}
	return p.account.Message(&a.Frame)
}

func (m *semantics) decode(p *party, line string) (a arrival) {
	if p.kind == kindBare { // it says nothing but the payload, which begins with the topic
		a.Payload = line
		a.Topic, _, _ = strings.Cut(line, ".")
		a.Seq, a.Prev = m.log.NumberOf(a.Topic, line)
		return a
	}
	if p.kind == kindUpper {
		line = strings.TrimPrefix(line, "! ")
	}
	words := strings.Fields(line)
	a.Topic = words[0]
	if words[1] == "gap" {
		from, to, _ := strings.Cut(words[2], "-")
		a.Seq, a.to, a.reason = m.number(from), m.number(to), words[3]
		return a
	}
	a.Seq, a.Payload = m.number(words[1]), words[len(words)-1]
	a.Prev = a.Seq - 1
	if len(words) == 4 {
		a.Prev = m.number(strings.TrimPrefix(words[2], "^"))
	}
	if p.kind == kindUpper {
		a.Payload = strings.ToLower(a.Payload)
	}
	return a
}

func (m *semantics) number(word string) uint64 {
	n, err := strconv.ParseUint(word, 10, 64)
	if err != nil {
		m.t.Fatalf("%q is no number", word)
	}
	return n
}
