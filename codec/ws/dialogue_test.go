package ws

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/megawire/megawire/internal/dialogues"
)

// TestDialogues runs the dialogues of testdata/*.txt. In them
//
//	# what it shows
//	limits 64 4                            bytes and fragments of a message at most; 70000 and 8 where not given
//	deflate 100                            permessage-deflate is agreed on; bytes inflated to a compressed one at most
//	> text nofin rsv=4 unmasked "abc"*100  a frame comes in
//	> text fragments=2 "abcde"             a message comes in, two bytes a frame
//	> text compressed "abcde"              its payload compressed, with RSV1 on the first frame
//	> times=10 ping ""                     a line ten times over
//	> hex 8180                             bytes come in
//	< message text "abc"                   what the endpoint then says; -rewrite writes these lines
//
// Each dialogue is a paragraph of its own, with an endpoint of its own. It is then run again with all of its input at
// once, a byte at a time, cut in two at every place and cut at random, and has to give the same events.
func TestDialogues(t *testing.T) {
	random := newRandom(t)
	dialogues.Run(t, "testdata/*.txt", func(t *testing.T, text string) string {
		return dialogues.Paragraphs(text, func(paragraph string) string { return testDialogue(t, paragraph, random) })
	})
}

// testDialogue gives the dialogue as it really goes.
func testDialogue(t *testing.T, text string, random *rand.Rand) string {
	limits := Limits{MessageBytesMax: 70000, FragmentsMax: 8}
	var out strings.Builder
	var input []byte
	var events []string
	var p peer
	for line := range strings.Lines(text) {
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
		case "deflate":
			limits.Inflater = NewInflater(dialogues.Number(t, rest))
		case ">":
			chunk := describedBytes(t, rest)
			input = append(input, chunk...)
			for _, ev := range p.feed(chunk, &limits) {
				out.WriteString("< " + ev + "\n")
				events = append(events, ev)
			}
		case "#":
		default:
			t.Fatalf("%q: what is %q?", line, command)
		}
	}
	p.e.Release()
	for about, chunks := range splits(input, random) {
		var p peer
		var got []string
		for _, chunk := range chunks {
			got = append(got, p.feed(chunk, &limits)...)
		}
		p.e.Release()
		if !slices.Equal(got, events) {
			t.Errorf("%s\nwith its input %s: got %q, want %q", text, about, got, events)
		}
	}
	return out.String()
}

// splits gives the ways in which an input is cut up, each with its description.
func splits(input []byte, random *rand.Rand) func(yield func(string, [][]byte) bool) {
	const (
		nearBytes  = 100     // a long input is cut in two near its ends alone
		bytesOften = 1 << 17 // a longer one comes a byte at a time near its ends alone, and is not cut in two
	)
	return func(yield func(string, [][]byte) bool) {
		first, last := len(input), len(input)
		if len(input) > bytesOften {
			first, last = nearBytes, len(input)-nearBytes
		}
		each := slices.Collect(slices.Chunk(input[:first], 1))
		if first < last {
			each = append(each, input[first:last])
		}
		each = slices.AppendSeq(each, slices.Chunk(input[last:], 1))
		if !yield("at once", [][]byte{input}) || !yield("a byte at a time", each) || !yield("cut at random", randomCuts(input, random)) {
			return
		}
		for i := range input {
			if i > nearBytes && i < len(input)-nearBytes {
				continue
			}
			if len(input) > bytesOften {
				return
			}
			if !yield(fmt.Sprintf("cut at %d", i), [][]byte{input[:i], input[i:]}) {
				return
			}
		}
	}
}

// randomCuts cuts an input into some tens of chunks at most.
func randomCuts(input []byte, random *rand.Rand) (chunks [][]byte) {
	longest := 1 + len(input)/20
	for len(input) > 0 {
		n := min(len(input), 1+random.IntN(longest))
		chunks, input = append(chunks, input[:n]), input[n:]
	}
	return chunks
}

func TestRandomCutsLoseNothing(t *testing.T) {
	random := newRandom(t)
	for length := range 200 {
		input := bytes.Repeat([]byte{byte(length)}, length)
		if got := bytes.Join(randomCuts(input, random), nil); !bytes.Equal(got, input) {
			t.Errorf("%d bytes became %d", length, len(got))
		}
		for about, chunks := range splits(input, random) {
			if got := bytes.Join(chunks, nil); !bytes.Equal(got, input) {
				t.Errorf("%d bytes became %d %s", length, len(got), about)
			}
		}
	}
}
