package e2e

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/megawire/megawire/internal/dialogues"
)

// dialogue is what is said on one connection.
type dialogue struct {
	text  string // as it stands in the file
	lines []dialogueLine
}

type dialogueLine struct {
	kind lineKind
	text string
	out  []byte // of what goes out: this line's bytes and those of the lines behind it, which have none of their own
}

type lineKind int

const (
	comment lineKind = iota
	outgoing
	expected
	halfClose
	reset
)

func parseDialogue(t *testing.T, paragraph string) *dialogue {
	t.Helper()
	d := &dialogue{text: paragraph + "\n"}
	for text := range strings.SplitSeq(paragraph, "\n") {
		line := dialogueLine{text: text}
		switch {
		case strings.HasPrefix(text, "#"):
		case strings.HasPrefix(text, "> "):
			line.kind, line.out = outgoing, describedBytes(t, text[2:])
		case strings.HasPrefix(text, "<"):
			line.kind = expected
		case text == "half-close":
			line.kind = halfClose
		case text == "reset":
			line.kind = reset
		default:
			t.Fatalf("what is %q?", text)
		}
		if n := len(d.lines) - 1; n >= 0 && line.kind == outgoing && d.lines[n].kind == outgoing {
			first := n
			for first > 0 && d.lines[first-1].kind == outgoing {
				first--
			}
			d.lines[first].out, line.out = append(d.lines[first].out, line.out...), nil
		}
		d.lines = append(d.lines, line)
	}
	return d
}

// ahead is the dialogue of a client that says all it has to say before it listens.
func (d *dialogue) ahead() *dialogue {
	a := &dialogue{}
	lines := slices.Clone(d.lines)
	speaks := func(l dialogueLine) bool { return l.kind != expected && l.kind != reset }
	for i := range lines {
		if speaks(lines[i]) {
			a.lines = append(a.lines, lines[i])
		}
	}
	for i := range lines {
		if !speaks(lines[i]) {
			a.lines = append(a.lines, lines[i])
		}
	}
	first := -1
	for i := range a.lines {
		if a.lines[i].kind != outgoing {
			continue
		}
		if first < 0 {
			first = i
			a.lines[i].out = bytes.Clone(a.lines[i].out)
			continue
		}
		a.lines[first].out, a.lines[i].out = append(a.lines[first].out, a.lines[i].out...), nil
	}
	a.text = a.String()
	return a
}

func (d *dialogue) String() string {
	var b strings.Builder
	for i := range d.lines {
		b.WriteString(d.lines[i].text + "\n")
	}
	return b.String()
}

// chunker cuts what goes out into what goes in one write each.
type chunker func(b []byte) iter.Seq[[]byte]

func writeTogether(b []byte) iter.Seq[[]byte] { return slices.Values([][]byte{b}) }

// writeBytes writes long messages together, but for their ends.
func writeBytes(b []byte) iter.Seq[[]byte] {
	const singleBytes = 4096
	return func(yield func([]byte) bool) {
		for i := 0; i < len(b); {
			n := 1
			if i >= singleBytes/2 {
				n = max(1, len(b)-singleBytes/2-i)
			}
			if !yield(b[i:][:n]) {
				return
			}
			i += n
		}
	}
}

func chunkAtRandom(random *rand.Rand) chunker {
	return func(b []byte) iter.Seq[[]byte] {
		longest := 1 + len(b)/20
		var chunks [][]byte
		for len(b) > 0 {
			n := min(len(b), 1+random.IntN(longest))
			chunks, b = append(chunks, b[:n]), b[n:]
		}
		return slices.Values(chunks)
	}
}

// describedBytes makes what a line of a dialogue says goes out.
func describedBytes(t *testing.T, line string) []byte {
	t.Helper()
	if line[0] == '"' {
		return dialogues.Payload(t, line)
	}
	if rest, ok := strings.CutPrefix(line, "upgrade "); ok {
		target, headers, _ := strings.Cut(rest, " | ")
		if headers != "" {
			headers = strings.ReplaceAll(headers, " | ", "\r\n") + "\r\n"
		}
		return []byte(strings.Replace(upgradeRequest(target), "Upgrade: websocket\r\n", headers+"Upgrade: websocket\r\n", 1))
	}
	return dialogues.Message(t, line, func(head byte, masked bool, payload []byte) []byte {
		if masked {
			return frame(head, payload)
		}
		f := append(frameHeader(head, len(payload)), payload...)
		f[1] &^= 0x80
		return f
	})
}

// inflatedPayload undoes the compression of a message's payload (RFC 7692 §7.2.2).
func inflatedPayload(payload []byte) ([]byte, error) {
	const flushEnd, finalBlock = "\x00\x00\xff\xff", "\x01\x00\x00\xff\xff" // the final block, so that the reader knows the end
	return io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader(flushEnd+finalBlock))))
}

// describe tells a response on one line: what every one must have is checked and left out.
func (a *response) describe() string {
	take := func(name string) string { v := a.header[name]; delete(a.header, name); return v }
	text := fmt.Sprint(a.status)
	if a.status == 101 {
		if accept := take("sec-websocket-accept"); accept != nonceAccept {
			text += " accept " + accept
		}
		if up, c := take("upgrade"), take("connection"); up != "websocket" || c != "Upgrade" {
			text += fmt.Sprintf(" upgrade %q, connection %q", up, c)
		}
	} else {
		var body struct {
			Error struct{ Code, Message string }
		}
		switch {
		case len(a.body) == 0:
			text += " without a body"
		case json.Unmarshal(a.body, &body) != nil || body.Error.Code == "":
			text += fmt.Sprintf(" %q", a.body)
		default:
			text += fmt.Sprintf(" %s: %s", body.Error.Code, body.Error.Message)
		}
		if c := take("connection"); c != "close" && c != "Upgrade, close" {
			text += fmt.Sprintf(" connection %q", c)
		}
		if length := take("content-length"); len(a.body) > 0 && length != strconv.Itoa(len(a.body)) {
			text += fmt.Sprintf(" (%d bytes, said to be %s)", len(a.body), length)
		}
		if kind := take("content-type"); kind != typeJSON {
			text += fmt.Sprintf(" (%q)", kind)
		}
	}
	var names []string
	for name := range a.header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		text += fmt.Sprintf(" | %s: %s", name, a.header[name])
	}
	return text
}

// nonceAccept proves that nonce was understood (RFC 6455 §1.3).
const nonceAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

// serverFrame is a frame of a server's.
type serverFrame struct {
	head    byte
	payload []byte
}

// nextFrame is next for frames whose head is not as it mostly is.
func (p *peer) nextFrame() (f serverFrame, err error) {
	head, err := p.r.Peek(1)
	if err != nil {
		return f, err
	}
	f.head = head[0]
	const rsv1 = 0x40
	head[0] &^= rsv1
	_, f.payload, err = p.next()
	return f, err
}

func (f *serverFrame) describe() string {
	op := f.head & 0x0F
	name := fmt.Sprintf("opcode %d", op)
	for n, o := range dialogues.Opcodes {
		if o == op {
			name = n
		}
	}
	payload := f.payload
	if f.head&0x40 != 0 {
		name += " compressed"
		var err error
		if payload, err = inflatedPayload(payload); err != nil {
			return fmt.Sprintf("%s: %v", name, err)
		}
	}
	switch {
	case op == opClose && len(payload) >= 2:
		return fmt.Sprintf("close %d %q", binary.BigEndian.Uint16(payload), payload[2:])
	case len(payload) > 64:
		return fmt.Sprintf("%s %d bytes, crc %08x", name, len(payload), crc32.ChecksumIEEE(payload))
	default:
		return fmt.Sprintf("%s %q", name, payload)
	}
}
