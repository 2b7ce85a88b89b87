package loadgen

import (
	"bytes"
	"strings"

	"github.com/megawire/megawire/codec/ws"
)

// Placeholders of templates.
const (
	topicPlace  = "{topic}"  // one topic, as it is
	topicsPlace = "{topics}" // all topics of a client, quoted, with commas between them
	dataPlace   = "{data}"   // the payload, a JSON object
)

// templateDriver sends texts made from templates, and takes any text with a marker in it for a message.
type templateDriver struct {
	webSocket
	marker
	subscribe, publish string
	subscribed         []byte // what an answer to a subscription contains; empty: there is none
	text               []byte // scratch
}

func newTemplateDriver(p *Plan, w webSocket, t topics) driver {
	return &templateDriver{
		webSocket: w, marker: newMarker(p, t), subscribe: p.SubscribeTemplate, publish: p.PublishTemplate, subscribed: []byte(p.SubscribedMarker),
	}
}

func (p *Plan) validateTemplates() error {
	switch s := p.SubscribeTemplate; {
	case !p.Workload.subscribes():
		return nil
	case strings.Contains(s, topicPlace) == strings.Contains(s, topicsPlace):
		return planError("subscribe-template", "must contain %s (a frame each) or %s (one frame for all)", topicPlace, topicsPlace)
	case !p.Workload.publishes():
		return nil
	case !strings.Contains(p.PublishTemplate, topicPlace) || !strings.Contains(p.PublishTemplate, dataPlace):
		return planError("publish-template", "must contain %s and %s", topicPlace, dataPlace)
	}
	return nil
}

func (d *templateDriver) appendSubscribe(dst []byte, topics []int) ([]byte, int) {
	frames := 0
	if strings.Contains(d.subscribe, topicsPlace) {
		list := []byte{}
		for i, t := range topics {
			if i > 0 {
				list = append(list, ',')
			}
			list = append(d.topics.append(append(list, '"'), t), '"')
		}
		dst = d.appendText(dst, strings.ReplaceAll(d.subscribe, topicsPlace, string(list)))
		frames = 1
	} else {
		for _, t := range topics {
			dst = d.appendText(dst, strings.ReplaceAll(d.subscribe, topicPlace, string(d.topics.append(nil, t))))
			frames++
		}
	}
	if len(d.subscribed) == 0 {
		frames = 0
	}
	return dst, frames
}

func (d *templateDriver) appendText(dst []byte, text string) []byte {
	return ws.AppendMaskedFrame(dst, ws.Text, d.mask(), []byte(text))
}

func (d *templateDriver) appendPublish(dst []byte, topic int, planned int64) []byte {
	data := d.payload(topic, planned)
	d.text = d.text[:0]
	for rest := d.publish; rest != ""; {
		i := strings.IndexByte(rest, '{')
		if i < 0 {
			d.text = append(d.text, rest...)
			break
		}
		d.text = append(d.text, rest[:i]...)
		rest = rest[i:]
		switch {
		case strings.HasPrefix(rest, topicPlace):
			d.text, rest = d.topics.append(d.text, topic), rest[len(topicPlace):]
		case strings.HasPrefix(rest, dataPlace):
			d.text, rest = append(d.text, data...), rest[len(dataPlace):]
		default:
			d.text, rest = append(d.text, '{'), rest[1:]
		}
	}
	return ws.AppendMaskedFrame(dst, ws.Text, d.mask(), d.text)
}

// appendFinish asks for nothing: there is no request that every server answers.
func (d *templateDriver) appendFinish(dst []byte) ([]byte, bool) { return dst, false }

func (d *templateDriver) next(src []byte, ev *event) int {
	n := d.frame(src, ev)
	if n == 0 || ev.kind != evFrame {
		return n
	}
	switch b := ev.payload; {
	case d.find(b, ev):
	case len(d.subscribed) > 0 && bytes.Contains(b, d.subscribed):
		ev.kind, ev.counted = evPublished, false
	default:
		ev.kind = evNothing
	}
	return n
}
