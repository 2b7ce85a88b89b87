package ws

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the endpoint says into the dialogues of testdata")

// TestDialogues runs the dialogues of testdata/*.txt. In them
//
//	# what it shows
//	limits 64 4                            bytes and fragments of a message at most; 70000 and 8 where not given
//	> text nofin rsv=4 unmasked "abc"*100  a frame comes in
//	> hex 8180                             bytes come in
//	< message text "abc"                   what the endpoint then says; -rewrite writes these lines
//
// Each dialogue is a paragraph of its own, with an endpoint of its own. It is then run again with all of its input at
// once, a byte at a time and cut in two at every place, and has to give the same events.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { testDialogues(t, file) })
	}
}

func testDialogues(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for i, paragraph := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		if i > 0 {
			out.WriteByte('\n')
		}
		out.WriteString(testDialogue(t, paragraph))
	}
	if out.String() == string(text) {
		return
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s: got\n%s\n(-rewrite writes this)", file, out.String())
}

// testDialogue gives the dialogue as it really goes.
func testDialogue(t *testing.T, dialogue string) string {
	limits := Limits{MessageBytesMax: 70000, FragmentsMax: 8}
	var out strings.Builder
	var input []byte
	var events []string
	var p peer
	for line := range strings.Lines(dialogue) {
		line = strings.TrimSpace(line)
		command, rest, _ := strings.Cut(line, " ")
		if command == "<" {
			continue
		}
		out.WriteString(line + "\n")
		switch command {
		case "limits":
			if _, err := fmt.Sscan(rest, &limits.MessageBytesMax, &limits.FragmentsMax); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		case ">":
			chunk := describedBytes(t, rest)
			input = append(input, chunk...)
			for _, ev := range p.feed(chunk, &limits) {
				out.WriteString("< " + ev + "\n")
				events = append(events, ev)
			}
		}
	}
	p.e.Release()
	for about, chunks := range splits(input) {
		var p peer
		var got []string
		for _, chunk := range chunks {
			got = append(got, p.feed(chunk, &limits)...)
		}
		p.e.Release()
		if !slices.Equal(got, events) {
			t.Errorf("%s\nwith its input %s: got %q, want %q", dialogue, about, got, events)
		}
	}
	return out.String()
}

// describedBytes makes what a line of a dialogue describes.
func describedBytes(t *testing.T, line string) []byte {
	kind, rest, _ := strings.Cut(line, " ")
	if kind == "hex" {
		b, err := hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		return b
	}
	op := slices.IndexFunc([]Opcode{Continuation, Text, Binary, Close, Ping, Pong}, func(o Opcode) bool { return opName(o) == kind })
	if op < 0 {
		t.Fatalf("%q: what is %q?", line, kind)
	}
	var flags byte = finBit
	masked := true
	var payload []byte
	for rest != "" {
		if rest[0] == '"' {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			text, _ := strconv.Unquote(quoted)
			count := 1
			if times, ok := strings.CutPrefix(rest[len(quoted):], "*"); ok {
				if count, err = strconv.Atoi(times); err != nil {
					t.Fatalf("%q: %v", line, err)
				}
			}
			payload = bytes.Repeat([]byte(text), count)
			break
		}
		var word string
		word, rest, _ = strings.Cut(rest, " ")
		switch {
		case word == "nofin":
			flags = 0
		case word == "unmasked":
			masked = false
		case strings.HasPrefix(word, "rsv="):
			flags |= (word[4] - '0') << 4
		default:
			t.Fatalf("%q: what is %q?", line, word)
		}
	}
	code := []Opcode{Continuation, Text, Binary, Close, Ping, Pong}[op]
	frame := AppendMaskedFrame(nil, code, [4]byte{0x37, 0xfa, 0x21, 0x3d}, payload)
	if !masked {
		frame = AppendFrame(nil, code, payload)
	}
	frame[0] = frame[0]&opBits | flags
	return frame
}

// splits gives the ways in which an input is cut up, each with its description.
func splits(input []byte) func(yield func(string, [][]byte) bool) {
	return func(yield func(string, [][]byte) bool) {
		if !yield("at once", [][]byte{input}) || !yield("a byte at a time", slices.Collect(slices.Chunk(input, 1))) {
			return
		}
		const nearBytes = 300 // a long input is cut near its ends alone
		for i := range input {
			if i > nearBytes && i < len(input)-nearBytes {
				continue
			}
			if !yield(fmt.Sprintf("cut at %d", i), [][]byte{input[:i], input[i:]}) {
				return
			}
		}
	}
}

// peer is an endpoint with what its caller keeps: the bytes that were not consumed.
type peer struct {
	e    Endpoint
	kept []byte
	over bool
}

// feed gives the endpoint what came and returns what it said. The chunk is left as it is.
func (p *peer) feed(chunk []byte, l *Limits) (events []string) {
	if p.over {
		return nil
	}
	p.kept = append(p.kept, chunk...)
	for {
		ev, n := p.e.Next(p.kept, l)
		p.kept = p.kept[n:]
		if ev.Kind == NeedMore {
			return events
		}
		events = append(events, describe(ev))
		if ev.Kind == CloseEvent || ev.Kind == Fail {
			p.over = true
			return events
		}
	}
}

func describe(ev Event) string {
	payload := strconv.Quote(string(ev.Payload))
	if len(ev.Payload) > 64 {
		payload = fmt.Sprintf("%d bytes, crc %08x", len(ev.Payload), crc32.ChecksumIEEE(ev.Payload))
	}
	switch ev.Kind {
	case Message:
		return "message " + opName(ev.Op) + " " + payload
	case PingEvent:
		return "ping " + payload
	case PongEvent:
		return "pong " + payload
	case CloseEvent:
		return fmt.Sprintf("close %d %q", ev.Code, ev.Reason)
	case Fail:
		return fmt.Sprintf("fail %d %s", ev.Code, ev.Reason)
	default:
		return fmt.Sprintf("kind %d", ev.Kind)
	}
}

func opName(o Opcode) string {
	return map[Opcode]string{
		Continuation: "continuation", Text: "text", Binary: "binary", Close: "close", Ping: "ping", Pong: "pong",
	}[o]
}

func TestEndpointHoldsNothingWhenIdle(t *testing.T) {
	l := &Limits{MessageBytesMax: 100, FragmentsMax: 10}
	mask := [4]byte{1, 2, 3, 4}
	first := AppendMaskedFrame(nil, Text, mask, []byte("ab"))
	first[0] &^= finBit
	last := AppendMaskedFrame(nil, Continuation, mask, []byte("cd"))

	var e Endpoint
	if !e.Idle() {
		t.Error("a new endpoint is not idle")
	}
	if ev, n := e.Next(bytes.Clone(first), l); ev.Kind != NeedMore || n != len(first) || e.Idle() {
		t.Errorf("first fragment: %v, consumed %d, idle %v", ev, n, e.Idle())
	}
	ev, n := e.Next(bytes.Clone(last), l)
	if ev.Kind != Message || string(ev.Payload) != "abcd" || n != len(last) {
		t.Errorf("last fragment: %v, consumed %d", ev, n)
	}
	if e.Idle() {
		t.Error("idle while the message's bytes are in use")
	}
	if ev, n := e.Next(nil, l); ev.Kind != NeedMore || n != 0 || !e.Idle() {
		t.Errorf("after the message: %v, consumed %d, idle %v", ev, n, e.Idle())
	}
	e.Next(bytes.Clone(first), l)
	if e.Release(); !e.Idle() || e != (Endpoint{}) {
		t.Error("not as new after Release")
	}
}

// TestUnfinishedFramesAreLeftAlone: what is not consumed is presented again, so it must not be unmasked yet.
func TestUnfinishedFramesAreLeftAlone(t *testing.T) {
	frame := AppendMaskedFrame(nil, Binary, [4]byte{1, 2, 3, 4}, []byte("0123456789"))
	for cut := range frame {
		part := bytes.Clone(frame[:cut])
		var e Endpoint
		ev, n := e.Next(part, &Limits{MessageBytesMax: 10})
		if ev.Kind != NeedMore || n != 0 || !bytes.Equal(part, frame[:cut]) {
			t.Errorf("%d bytes of a frame: %v, consumed %d, bytes % x", cut, ev, n, part)
		}
	}
}

func TestAnnouncedLengthTakesNoMemory(t *testing.T) {
	header := append(appendHeader(nil, Binary, 1<<30, maskBit), 1, 2, 3, 4)
	header[0] &^= finBit
	l := &Limits{MessageBytesMax: 1 << 31, FragmentsMax: 10}
	if n := testing.AllocsPerRun(100, func() {
		var e Endpoint
		e.Next(header, l)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
