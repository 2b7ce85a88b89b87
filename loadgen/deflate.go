package loadgen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/megawire/megawire/codec/ws"
)

// deflateOffer asks that nothing be kept between messages, either way (RFC 7692 §7.1.1). What loadgen sends itself is never
// compressed, which an agreement allows (§6).
const deflateOffer = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"

// Of a frame's first byte (RFC 6455 §5.2).
const (
	rsv1Bit    = 0x40 // the message is compressed (RFC 7692 §6)
	controlBit = 0x08 // of the opcode
)

// errNotDeflating is a server that does not compress as it was asked to.
var errNotDeflating = errors.New("no agreement on permessage-deflate")

const (
	// recentFrames is how many compressed messages a loop knows again, about what a ticker's clients get in some milliseconds.
	recentFrames = 1 << 10
	// recentBytesMax bounds what one of them may take.
	recentBytesMax = 64 << 10
	// inflateRatioMax is deflate's own bound: whoever is tested may send what it likes, up to MessageBytesMax.
	inflateRatioMax = 1032
)

// inflation undoes permessage-deflate for the connections of one loop. A server that keeps nothing between messages sends the same
// bytes to all who get one, so that what was inflated a moment ago is looked up instead: else the generator, which has as many
// messages to inflate as the server has deliveries, would be the limit.
type inflation struct {
	inflater *ws.Inflater
	recent   [recentFrames]inflated

	inflatedCounts
}

// inflatedCounts says what came compressed.
type inflatedCounts struct {
	messages      uint64
	packed, plain uint64 // bytes of their payloads, as they came and inflated
}

// inflated is a message before and after.
type inflated struct{ packed, plain []byte }

func newInflation() *inflation { return &inflation{inflater: ws.NewInflater(inflateRatioMax)} }

// inflate gives the payload of a compressed message; it is good until the next call.
func (f *inflation) inflate(packed []byte) ([]byte, error) {
	r := f.place(packed)
	plain := r.plain
	if len(packed) == 0 || !bytes.Equal(r.packed, packed) {
		var err error
		if plain, err = f.inflater.Inflate(packed, MessageBytesMax); err != nil {
			return nil, err
		}
		if len(plain) <= recentBytesMax {
			r.packed, r.plain = append(r.packed[:0], packed...), append(r.plain[:0], plain...)
		}
	}
	f.messages++
	f.packed += uint64(len(packed))
	f.plain += uint64(len(plain))
	return plain, nil
}

// place is where a message would be known again. The end of one, where seq and instant are, differs from that of any other.
func (f *inflation) place(packed []byte) *inflated {
	var end [8]byte
	copy(end[:], packed[max(0, len(packed)-len(end)):])
	return &f.recent[mix(binary.LittleEndian.Uint64(end[:])^uint64(len(packed))<<48)%recentFrames]
}

// since is what came after another count was taken.
func (c inflatedCounts) since(before inflatedCounts) inflatedCounts {
	return inflatedCounts{c.messages - before.messages, c.packed - before.packed, c.plain - before.plain}
}

func (c *inflatedCounts) add(o inflatedCounts) {
	c.messages += o.messages
	c.packed += o.packed
	c.plain += o.plain
}

// header is ws.ParseHeader where messages may be compressed; packed: this one is.
func (d *webSocket) header(src []byte) (h ws.Header, n int, packed bool, err error) {
	if d.inflation == nil || len(src) == 0 || src[0]&rsv1Bit == 0 || src[0]&controlBit != 0 {
		h, n, err = ws.ParseHeader(src, ws.ClientSide)
		return h, n, false, err
	}
	var head [ws.HeaderBytesMax]byte // src stays as it is: it will be read again if the message is not whole
	b := head[:copy(head[:], src)]
	b[0] &^= rsv1Bit
	h, n, err = ws.ParseHeader(b, ws.ClientSide)
	return h, n, true, err
}

// appendOffer adds the offer to a request that ends dst.
func appendOffer(dst []byte) []byte {
	return append(append(dst[:len(dst)-len("\r\n")], deflateOffer...), "\r\n"...)
}

// deflating reads the answer to a request with an offer: n as ParseClientResponse gives it.
func (d *webSocket) deflating(src []byte, conn int) (n int, err error) {
	end := bytes.Index(src, []byte("\r\n\r\n"))
	if end < 0 || !bytes.HasPrefix(src, []byte("HTTP/1.1 101")) {
		return ws.ParseClientResponse(src, d.key(conn))
	}
	// The rest is checked as that of any upgrade, in which an extension is a fault.
	var rest []byte
	var extensions []string
	for line := range bytes.SplitSeq(src[:end], []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Sec-WebSocket-Extensions")) {
			extensions = append(extensions, string(bytes.TrimSpace(value)))
			continue
		}
		rest = append(append(rest, line...), "\r\n"...)
	}
	if _, err := ws.ParseClientResponse(append(rest, "\r\n"...), d.key(conn)); err != nil {
		return 0, err
	}
	if err := checkAgreement(strings.Join(extensions, ", ")); err != nil {
		return 0, fmt.Errorf("%s: %w", d.host, err)
	}
	return end + len("\r\n\r\n"), nil
}

// checkAgreement checks what the server answered to deflateOffer (RFC 7692 §7.1.1, §7.1.2).
func checkAgreement(answer string) error {
	if answer == "" {
		return fmt.Errorf("%w: its answer has no Sec-WebSocket-Extensions", errNotDeflating)
	}
	parameters := strings.Split(answer, ";")
	kept := strings.EqualFold(strings.TrimSpace(parameters[0]), "permessage-deflate")
	fresh := false
	for _, p := range parameters[1:] {
		switch name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(p)), "="); strings.TrimSpace(name) {
		case "server_no_context_takeover":
			fresh = true
		case "client_no_context_takeover", "server_max_window_bits": // the server may bind itself without being asked
		default:
			kept = false
		}
	}
	if !kept || !fresh {
		return fmt.Errorf("%w: its answer is %q", errNotDeflating, answer)
	}
	return nil
}
