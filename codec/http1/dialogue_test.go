package http1

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/megawire/megawire/internal/dialogues"
)

// TestDialogues runs the dialogues of testdata/*.txt. In them
//
//	# what it shows
//	bound 1024              bytes that a head may have; the usual 8192 where not given
//	> Host: example.org     a line comes in, CRLF behind it; with Go's escapes, and {x*100} for 100 times x
//	>> bare line\n          bytes come in, as they stand
//	headers 62              so many lines "X-1: 1" come in
//	? Connection            the value of a header and its list are asked for
//	< GET ...               what Parse then says; -rewrite writes these lines
//
// Each dialogue is a paragraph of its own. Its input is then given again in parts of every length, as a loop presents what it
// has read so far: each part asks for more, until one says what the whole says. "known by" tells which.
func TestDialogues(t *testing.T) {
	dialogues.Run(t, "testdata/*.txt", func(t *testing.T, text string) string {
		return dialogues.Paragraphs(text, func(paragraph string) string { return testDialogue(t, paragraph) })
	})
}

// testDialogue gives the dialogue as it really goes.
func testDialogue(t *testing.T, text string) string {
	var out, answers strings.Builder
	var src []byte
	var r Request
	var asked []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		command, rest, _ := strings.Cut(line, " ")
		if command == "<" {
			continue
		}
		out.WriteString(line + "\n")
		switch command {
		case "bound":
			r.HeadBytesMax = dialogues.Number(t, rest)
		case "headers":
			for i := range dialogues.Number(t, rest) {
				src = fmt.Appendf(src, "X-%d: %d\r\n", i, i)
			}
		case ">":
			src = append(src, unquoted(t, rest)+"\r\n"...)
		case ">>":
			src = append(src, unquoted(t, rest)...)
		case "?":
			asked = append(asked, rest)
		case "#":
		default:
			t.Fatalf("%q: what is %q?", text, command)
		}
	}
	n, fault := Parse(src, &r)
	fmt.Fprintf(&answers, "< %s\n", said(&r, n, len(src), fault))
	for _, name := range asked {
		value, times := r.Header(name)
		fmt.Fprintf(&answers, "< %s: %d times, %q, list", name, times, value)
		r.Each(name, func(element []byte) bool { fmt.Fprintf(&answers, " %q", element); return true })
		answers.WriteByte('\n')
	}
	if known := checkPrefixes(t, text, src, r.HeadBytesMax); fault != nil {
		fmt.Fprintf(&answers, "< known by %q\n", tail(src[:known]))
	}
	return out.String() + answers.String()
}

func said(r *Request, n, length int, fault *Error) string {
	switch {
	case fault != nil:
		return fmt.Sprintf("%d %s %s", fault.Status, fault.Code, fault.Message)
	case n == 0:
		return "more"
	default:
		return fmt.Sprintf("%s HTTP/1.%d, host %q, path %s, query %q, %d bytes left", r.Method, r.Minor, r.Host, short(r.Path), r.Query, length-n)
	}
}

func short(b []byte) string {
	if len(b) > 64 {
		return fmt.Sprintf("%q and %d bytes more", b[:8], len(b)-8)
	}
	return strconv.Quote(string(b))
}

// tail is the end of what came, as much as tells one place from another.
func tail(b []byte) []byte {
	const shown = 24 // bytes
	return b[max(0, len(b)-shown):]
}

var repeated = regexp.MustCompile(`\{([^{}]+)\*(\d+)\}`)

func unquoted(t *testing.T, line string) string {
	t.Helper()
	line = repeated.ReplaceAllStringFunc(line, func(s string) string {
		m := repeated.FindStringSubmatch(s)
		return strings.Repeat(m[1], dialogues.Number(t, m[2]))
	})
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return text
}

// checkPrefixes gives the head in parts of every length: each part asks for more, or says already what the whole says. It
// returns the length of the first that did.
func checkPrefixes(t *testing.T, about string, src []byte, headBytesMax int) (known int) {
	t.Helper()
	const nearBytes = 512 // a long head is not given at every length between its ends
	whole, part := Request{HeadBytesMax: headBytesMax}, Request{HeadBytesMax: headBytesMax}
	n, fault := Parse(src, &whole)
	want := said(&whole, n, 0, fault)
	known = -1
	for cut := range len(src) + 1 {
		if cut > nearBytes && cut < len(src)-nearBytes && cut%97 != 0 {
			continue
		}
		m, partFault := Parse(src[:cut:cut], &part)
		if m == 0 && partFault == nil && known < 0 {
			continue
		}
		if got := said(&part, m, 0, partFault); got != want || m != n {
			t.Errorf("%s: %d bytes give %s; the whole gives %s", about, cut, got, want)
			return cut
		}
		if known < 0 {
			known = cut
		}
	}
	return max(known, 0)
}
