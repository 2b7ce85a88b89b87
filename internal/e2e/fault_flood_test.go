package e2e

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// flooders is how many connections flood at once.
const flooders = 20

// slowSenders is a rate that flooders exceed on any machine.
const slowSenders = "--limits.messages_per_second=2000"

// flood is what many connections send, as fast as it is taken.
type flood struct {
	tr      *trial
	request string // for the upgrade
	p       []byte // again and again
	flooder [flooders]flooder
	ready   []unix.PollFd
	scratch []byte
	closed  int // how often one was closed by the server, and replaced
}

type flooder struct {
	bare
	at int // of p
}

// flood keeps the flood up until the healthy clients have outlasted it and the metrics show it. What comes back is read.
func (tr *trial) flood(request string, p []byte, rises ...rise) (closed int) {
	tr.t.Helper()
	f := &flood{tr: tr, request: request, p: p, ready: make([]unix.PollFd, flooders), scratch: make([]byte, 256<<10)}
	g := tr.gang(flooders, []byte(request))
	for i, b := range g.bare {
		f.flooder[i].bare = b
	}
	tr.meanwhile(f.round, rises...)
	for _, one := range f.flooder {
		one.cut()
	}
	g.bare = nil
	return f.closed
}

// round has each of them send and read once what goes.
func (f *flood) round() error {
	for i, one := range f.flooder {
		f.ready[i] = unix.PollFd{Fd: int32(one.fd), Events: unix.POLLIN | unix.POLLOUT}
	}
	if _, err := unix.Poll(f.ready, 10); err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	for i := range f.flooder {
		one := &f.flooder[i]
		alive := true
		if f.ready[i].Revents&^unix.POLLOUT != 0 {
			n, _, err := unix.Recvfrom(one.fd, f.scratch, unix.MSG_DONTWAIT)
			alive = n > 0 || errors.Is(err, unix.EAGAIN)
		}
		if alive && f.ready[i].Revents&unix.POLLOUT != 0 {
			n, err := one.offer(f.p[one.at:])
			one.at = (one.at + n) % len(f.p)
			alive = err == nil
		}
		if alive {
			continue
		}
		f.closed++
		one.cut()
		b, err := f.tr.bare()
		if err == nil {
			err = b.send([]byte(f.request))
		}
		if err != nil {
			return err
		}
		*one = flooder{bare: b}
	}
	return nil
}

// 20 clients ping as fast as they can.
func TestFaultPings(t *testing.T) {
	tr := newTrial(t, 0, flooders*256<<10, append(quietHeartbeat, slowSenders)...)
	shown := rise{metric: "megawire_throttled_total", by: 1, orMore: true}
	tr.flood(upgradeRequest("/ws"), bytes.Repeat(frame(final(opPing), make([]byte, 125)), 500), shown)
	tr.over(shown)
}

// 20 clients send messages in fragments of a byte.
func TestFaultFragments(t *testing.T) {
	tr := newTrial(t, 0, flooders*256<<10, quietHeartbeat...)
	message := frame(opText, []byte("a"))
	for range 4000 {
		message = append(message, frame(opContinuation, []byte("b"))...)
	}
	message = append(message, frame(final(opContinuation), nil)...)
	shown := rise{metric: "megawire_received_bytes_total", by: float64(len(message)), orMore: true}
	tr.flood(upgradeRequest("/echo"), message, shown)
	tr.over(shown)
}

// 20 clients send messages of a MiB, the largest there may be, and have them sent back.
func TestFaultLargeMessages(t *testing.T) {
	tr := newTrial(t, 0, flooders*2<<20, append(quietHeartbeat, "--limits.bytes_per_second=2MiB")...)
	shown := rise{metric: "megawire_throttled_total", by: 1, orMore: true}
	tr.flood(upgradeRequest("/echo"), frame(final(opBinary), make([]byte, 1<<20)), shown)
	tr.over(shown)
}

// 20 clients publish as fast as they can to one topic, which all of them read.
func TestFaultPublishes(t *testing.T) {
	tr := newTrial(t, 0, flooders*256<<10+8<<20, append(quietHeartbeat, slowSenders, "--anonymous.publish=flood")...)
	throttled := rise{metric: "megawire_throttled_total", by: 1, orMore: true}
	message := frame(final(opText), []byte(strings.Repeat("x", 50)))
	tr.flood(upgradeRequest("/raw/flood?echo=1&mode=latest"), bytes.Repeat(message, 500), throttled)
	tr.over(throttled, rise{metric: `megawire_messages_in_total{source="raw"}`, by: 1000, orMore: true})
}

// 20 clients subscribe to a thousand topics and unsubscribe again, and to as many patterns.
func TestFaultSubscriptions(t *testing.T) {
	tr := newTrial(t, 0, flooders*(1<<20), quietHeartbeat...)
	var topics, patterns []string
	for i := range 1000 {
		topics = append(topics, fmt.Sprintf(`"loop/%d"`, i))
		patterns = append(patterns, fmt.Sprintf(`"loop/%d/+/#"`, i))
	}
	var round []byte
	for _, list := range [][]string{topics, patterns} {
		for _, op := range []string{"subscribe", "unsubscribe"} {
			round = append(round, frame(final(opText), []byte(`{"op":"`+op+`","topics":[`+strings.Join(list, ",")+`]}`))...)
		}
	}
	shown := rise{metric: `megawire_requests_refused_total{code="rate_limited"}`, by: 1, orMore: true}
	tr.flood(upgradeRequest("/ws"), round, shown)
	tr.over(shown)
}

// deflated is a compressed message (RFC 7692 §7.2.1), in one frame.
func deflated(t *testing.T, op byte, message []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zlib.NewWriterLevel(&out, zlib.BestCompression)
	if err == nil {
		_, err = w.Write(message)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	const zlibHeadBytes, syncMarkBytes = 2, 4
	return frame(final(op)|rsv1, out.Bytes()[zlibHeadBytes:out.Len()-syncMarkBytes])
}

// offerDeflate is an upgrade that offers to compress.
func offerDeflate(target string) string {
	return strings.Replace(upgradeRequest(target), "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1)
}

// 20 clients send messages that would inflate to a thousand times their size, and come back when they are closed.
func TestFaultBombs(t *testing.T) {
	bomb := deflated(t, opBinary, make([]byte, 8<<20))
	for says, args := range map[string][]string{
		"past the size":  nil,
		"past the ratio": {"--limits.message_bytes=16MiB", "--ring.inflight_bytes=16MiB"},
	} {
		t.Run(says, func(t *testing.T) {
			// Each may hold a MiB that it has inflated, and the smaller buffers that this has outgrown.
			tr := newTrial(t, 0, flooders*(4<<20), append(args, quietHeartbeat...)...)
			shown := rise{metric: `megawire_websocket_closes_total{code="1009"}`, by: flooders, orMore: true}
			closed := tr.flood(offerDeflate("/echo"), bomb, shown)
			tr.over(rise{metric: shown.metric, by: float64(closed), orMore: true})
		})
	}
}

// 20 clients send messages that inflate to a MiB, where that is within the bounds, and have them sent back.
func TestFaultInflation(t *testing.T) {
	tr := newTrial(t, 0, flooders*(2<<20), append(quietHeartbeat, "--deflate.ratio_max=1100", "--limits.bytes_per_second=2MiB")...)
	throttled := rise{metric: "megawire_throttled_total", by: 1, orMore: true}
	tr.flood(offerDeflate("/echo"), deflated(t, opBinary, make([]byte, 1<<20)), throttled)
	tr.over(throttled, rise{metric: `megawire_websocket_closes_total{code="1009"}`})
}
