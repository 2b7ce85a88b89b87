package loadgen

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// httpDriver publishes lines of one streamed NDJSON request to the admin API, each a chunk (RFC 9112 §7.1).
type httpDriver struct {
	host   string
	topics topics
	data   *payload
	line   []byte // scratch
}

func newHTTPDriver(host string, t topics, data *payload) *httpDriver {
	return &httpDriver{host: host, topics: t, data: data}
}

func (d *httpDriver) appendOpen(dst []byte, _ int) []byte {
	dst = append(dst, "POST /v1/publish HTTP/1.1\r\nHost: "...)
	dst = append(dst, d.host...)
	return append(dst, "\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"...)
}

// opened is true at once: the answer comes after the last line.
func (d *httpDriver) opened(_ []byte, _, _ int, dst []byte) (int, []byte, bool, error) {
	return 0, dst, true, nil
}

func (d *httpDriver) appendSubscribe(dst []byte, _ []int) ([]byte, int) { return dst, 0 }

func (d *httpDriver) appendPublish(dst []byte, topic int, planned int64) []byte {
	d.line = append(d.line[:0], `{"topic":"`...)
	d.line = d.topics.append(d.line, topic)
	d.line = append(d.line, `","data":`...)
	d.line = append(d.data.append(d.line, planned), "}\n"...)
	dst = strconv.AppendInt(dst, int64(len(d.line)), 16)
	dst = append(dst, "\r\n"...)
	dst = append(dst, d.line...)
	return append(dst, "\r\n"...)
}

func (d *httpDriver) appendFinish(dst []byte) ([]byte, bool) {
	return append(dst, "0\r\n\r\n"...), true
}

func (d *httpDriver) next(src []byte, ev *event) int { return d.answer(src, ev, false) }

func (d *httpDriver) eof(src []byte, ev *event) { d.answer(src, ev, true) }

// answer reads the whole response once it is there. It comes once a run, so it is parsed from the start each time.
func (d *httpDriver) answer(src []byte, ev *event, last bool) int {
	r := bytes.NewReader(src)
	response, err := http.ReadResponse(bufio.NewReader(r), &http.Request{Method: http.MethodPost})
	var body []byte
	if err == nil {
		body, err = io.ReadAll(response.Body)
		_ = response.Body.Close()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		if !last {
			return 0
		}
		err = fmt.Errorf("the admin API hung up: %w", io.ErrUnexpectedEOF)
	}
	if err != nil {
		return broken(ev, len(src), err.Error())
	}
	var counts struct {
		Published uint64 `json:"published"`
	}
	ev.kind, ev.text, ev.counted, ev.accepted = evPublished, "", true, 0
	if json.Unmarshal(body, &counts) == nil {
		ev.accepted = counts.Published
	}
	if response.StatusCode != http.StatusOK {
		ev.text = response.Status + ": " + string(body[:min(len(body), 300)])
	}
	return max(len(src), 1)
}

func (d *httpDriver) appendReply(dst []byte, _ *event) []byte { return dst }

func (d *httpDriver) appendClose(dst []byte) []byte { return dst }
