package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Opcodes (RFC 6455 §11.8).
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// peer is one WebSocket client. It answers nothing by itself. One goroutine may read while another writes.
type peer struct {
	t   testing.TB
	nc  net.Conn
	r   *bufio.Reader
	buf []byte // payload of the last frame
}

// nonce is the key of RFC 6455 §1.3; that it is always the same harms no test.
const nonce = "dGhlIHNhbXBsZSBub25jZQ=="

func upgradeRequest(target string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + nonce + "\r\n\r\n"
}

// connect opens a TCP connection that the test's end closes.
func (s *site) connect() *peer {
	s.t.Helper()
	p, err := open(s.t, s.addr, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// dial opens a WebSocket on a path of the server.
func (s *site) dial(target string) *peer {
	s.t.Helper()
	p := s.connect()
	p.write([]byte(upgradeRequest(target)))
	p.upgraded()
	return p
}

// dialNarrow is dial with a receive buffer in the kernel that is as small as it may be.
func (s *site) dialNarrow(target string) *peer {
	s.t.Helper()
	p, err := open(s.t, s.addr, 4096)
	if err != nil {
		s.t.Fatal(err)
	}
	p.write([]byte(upgradeRequest(target)))
	p.upgraded()
	return p
}

// open connects; a receive buffer of 0 bytes is the system's choice.
func open(t testing.TB, addr string, receiveBytes int) (*peer, error) {
	d := net.Dialer{Timeout: patience}
	if receiveBytes > 0 {
		d.Control = func(_, _ string, c syscall.RawConn) (err error) {
			return errors.Join(c.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receiveBytes)
			}), err)
		}
	}
	nc, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	p := &peer{t: t, nc: nc, r: bufio.NewReader(nc)}
	p.extend(2 * patience)
	t.Cleanup(p.close)
	return p, nil
}

// close ends the connection as a lost client would: without a close frame.
func (p *peer) close() { _ = p.nc.Close() }

// extend sets how long everything that is read or written from now on may take together.
func (p *peer) extend(d time.Duration) { _ = p.nc.SetDeadline(time.Now().Add(d)) }

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.nc.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// response is an HTTP answer.
type response struct {
	status int
	header map[string]string // names in lower case
	body   []byte
}

// response reads an HTTP answer; the body of one that ends the connection is all that comes.
func (p *peer) response() (response, error) {
	a := response{header: map[string]string{}}
	line, err := p.r.ReadString('\n')
	if err != nil {
		return a, err
	}
	code, _, _ := strings.Cut(strings.TrimPrefix(line, "HTTP/1.1 "), " ")
	if a.status, err = strconv.Atoi(strings.TrimSpace(code)); err != nil {
		return a, fmt.Errorf("status line %q", line)
	}
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			return a, err
		}
		if line == "\r\n" {
			break
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		name = strings.ToLower(name)
		if before := a.header[name]; before != "" { // a list in several lines (RFC 9110 §5.3)
			value = before + ", " + value
		}
		a.header[name] = value
	}
	if a.status != 101 {
		a.body, err = io.ReadAll(p.r)
	}
	return a, err
}

// upgraded reads the answer of a server that agrees (RFC 6455 §4.1).
func (p *peer) upgraded() {
	p.t.Helper()
	a, err := p.response()
	if err != nil || a.status != 101 {
		p.t.Fatalf("upgrade: status %d, %s, %v", a.status, a.body, err)
	}
	sum := sha1.Sum([]byte(nonce + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if got, want := a.header["sec-websocket-accept"], base64.StdEncoding.EncodeToString(sum[:]); got != want {
		p.t.Fatalf("Sec-WebSocket-Accept is %q, want %q", got, want)
	}
}

var mask = [4]byte{0x12, 0x34, 0x56, 0x78}

// frame is a client's frame: one head byte, then the payload, masked.
func frame(head byte, payload []byte) []byte {
	b := append(frameHeader(head, len(payload)), mask[:]...)
	for i, x := range payload {
		b = append(b, x^mask[i%4])
	}
	return b
}

// frameHeader is the header of a masked frame without the mask.
func frameHeader(head byte, length int) []byte {
	switch {
	case length < 126:
		return []byte{head, 0x80 | byte(length)}
	case length < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{head, 0x80 | 126}, uint16(length))
	default:
		return binary.BigEndian.AppendUint64([]byte{head, 0x80 | 127}, uint64(length))
	}
}

// final is the head byte of a frame that ends its message.
func final(op byte) byte { return 0x80 | op }

// send sends a text message.
func (p *peer) send(text string) {
	p.t.Helper()
	p.write(frame(final(opText), []byte(text)))
}

// next reads one frame; the payload is good until the next call. Servers do not mask, and this one does not
// fragment (RFC 6455 §5.1, §5.4).
func (p *peer) next() (op byte, payload []byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(p.r, head[:2]); err != nil {
		return 0, nil, err
	}
	if head[0]&0xF0 != 0x80 || head[1]&0x80 != 0 {
		return 0, nil, fmt.Errorf("frame begins with %#x: fragmented, reserved bits or masked", head[:2])
	}
	length := uint64(head[1])
	switch length {
	case 126:
		_, err = io.ReadFull(p.r, head[2:4])
		length = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		_, err = io.ReadFull(p.r, head[2:10])
		length = binary.BigEndian.Uint64(head[2:])
	}
	if err != nil {
		return 0, nil, err
	}
	if length > 64<<20 {
		return 0, nil, fmt.Errorf("frame of %d bytes", length)
	}
	if uint64(cap(p.buf)) < length {
		p.buf = make([]byte, length)
	}
	p.buf = p.buf[:length]
	_, err = io.ReadFull(p.r, p.buf)
	return head[0] & 0x0F, p.buf, err
}

// text reads the next frame, which must be a text.
func (p *peer) text() string {
	p.t.Helper()
	op, payload, err := p.next()
	if err != nil || op != opText {
		p.t.Fatalf("want a text frame, got opcode %#x, %q, %v", op, payload, err)
	}
	return string(payload)
}

// expect reads texts, one for each given.
func (p *peer) expect(texts ...string) {
	p.t.Helper()
	for _, want := range texts {
		if got := p.text(); got != want {
			p.t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

// control reads the next frame, which must be that control frame.
func (p *peer) control(op byte, payload string) {
	p.t.Helper()
	got, body, err := p.next()
	if err != nil || got != op || string(body) != payload {
		p.t.Fatalf("got opcode %#x, %q, %v, want %#x, %q", got, body, err, op, payload)
	}
}

// closed reads up to a close frame, which must be the next one, and to the end of the connection behind it.
// It returns the reason.
func (p *peer) closed(code int) (reason string) {
	p.t.Helper()
	got, reason, err := p.readClose()
	if err != nil || got != code {
		p.t.Fatalf("closed with %d %q, %v, want %d", got, reason, err, code)
	}
	return reason
}

// readClose is closed for other goroutines than the test's.
func (p *peer) readClose() (code int, reason string, err error) {
	op, payload, err := p.next()
	switch {
	case err != nil:
		return 0, "", err
	case op != opClose || len(payload) < 2:
		return 0, "", fmt.Errorf("opcode %#x, %q instead of a close frame", op, payload)
	}
	code, reason = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
	if _, _, err := p.next(); !errors.Is(err, io.EOF) {
		return code, reason, fmt.Errorf("after the close frame: %w, want the connection's end", err)
	}
	return code, reason, nil
}

// ack is the answer to a request.
type ack struct {
	Op      string
	Code    string
	Message string
	Client  string
	Topic   string
	Epoch   string
	Seq     uint64
	Topics  []struct {
		Topic, Epoch, Error, Message string
		Seq                          *uint64
	}
}

// ask sends a request and reads the next text as its answer.
func (p *peer) ask(request string) (a ack) {
	p.t.Helper()
	p.send(request)
	p.decode(p.text(), &a)
	return a
}

func (p *peer) decode(text string, v any) {
	p.t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		p.t.Fatalf("%s: %v", text, err)
	}
}

// subscribe subscribes to topics, all of which must be granted, and returns the client's id.
func (p *peer) subscribe(topics ...string) (client string) {
	p.t.Helper()
	list, _ := json.Marshal(topics)
	a := p.ask(`{"op":"subscribe","topics":` + string(list) + `}`)
	if a.Op != "ok" || len(a.Topics) != len(topics) || a.Client == "" {
		p.t.Fatalf("subscribe %s: got %+v", list, a)
	}
	for i, r := range a.Topics {
		if r.Topic != topics[i] || r.Error != "" || r.Seq == nil || r.Epoch == "" {
			p.t.Fatalf("subscribe %s: result %d is %+v", list, i, r)
		}
	}
	return a.Client
}

// message is a message as /ws delivers it.
type message struct {
	topic []byte
	seq   uint64
	data  []byte
}

// cutMessage takes a message apart by the order of keys that the protocol promises to readers in a hurry.
// The topics of these tests need no escapes.
func cutMessage(text []byte) (m message, ok bool) {
	rest, ok1 := bytes.CutPrefix(text, []byte(`{"topic":"`))
	topic, rest, ok2 := bytes.Cut(rest, []byte(`","seq":`))
	seq, rest, ok3 := bytes.Cut(rest, []byte(`,"ts":`))
	ts, rest, ok4 := bytes.Cut(rest, []byte(`,"data":`))
	data, ok5 := bytes.CutSuffix(rest, []byte(`}`))
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 {
		return m, false
	}
	n, err := strconv.ParseUint(string(seq), 10, 53)
	if _, err2 := strconv.ParseInt(string(ts), 10, 53); err != nil || err2 != nil {
		return m, false
	}
	return message{topic, n, data}, true
}

// gap is what a client is told of messages that it will not get.
type gap struct {
	Op, Topic, Reason string
	From, To          uint64
}
