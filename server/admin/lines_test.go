package admin

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// readLines shows what a lineReader makes of its input: each line, "too long", or the error at the end.
func readLines(l *lineReader) []string {
	var out []string
	for {
		line, err := l.next()
		switch {
		case err == nil:
			out = append(out, string(line))
		case errors.Is(err, errLineTooLong):
			out = append(out, "too long")
		default:
			return append(out, err.Error())
		}
	}
}

func TestLines(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		sentence string
		r        func() io.Reader
		want     []string
	}{
		{"nothing", text(""), []string{"EOF"}},
		{"a line", text("abc\n"), []string{"abc", "EOF"}},
		{"a last line without its end", text("abc\nd"), []string{"abc", "d", "EOF"}},
		{"blank lines are lines", text("\n\na\n"), []string{"", "", "a", "EOF"}},
		{"a line of the longest length", text("12345678\nb\n"), []string{"12345678", "b", "EOF"}},
		{"a line one byte longer", text("123456789\nb\n"), []string{"too long", "b", "EOF"}},
		{"a line many times longer", text(strings.Repeat("x", 1000) + "\nb\n"), []string{"too long", "b", "EOF"}},
		{"a longest last line", text("12345678"), []string{"12345678", "EOF"}},
		{"a last line that is too long", text("b\n123456789"), []string{"b", "too long", "EOF"}},
		{"two lines too long", text("123456789\n123456789\nb"), []string{"too long", "too long", "b", "EOF"}},
		{"a broken stream drops what came of its last line",
			func() io.Reader { return io.MultiReader(strings.NewReader("a\nbc"), iotest.ErrReader(broken)) }, []string{"a", "broken"}},
		{"a stream that breaks within a line too long",
			func() io.Reader { return io.MultiReader(strings.NewReader("1234567890"), iotest.ErrReader(broken)) }, []string{"broken"}},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			for name, wrap := range map[string]func(io.Reader) io.Reader{
				"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "data with the end": iotest.DataErrReader,
			} {
				if got := readLines(newLineReader(wrap(tc.r()), 8)); !slices.Equal(got, tc.want) {
					t.Errorf("%s: got %q, want %q", name, got, tc.want)
				}
			}
		})
	}
}

func text(s string) func() io.Reader { return func() io.Reader { return strings.NewReader(s) } }

// TestLinesAtRandom holds the reader against strings.Split, with lines around its buffer's sizes.
func TestLinesAtRandom(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	const lineMax = 300_000
	sizes := []int{0, 1, 100, readBufferBytes - 1, readBufferBytes, readBufferBytes + 1, 2 * readBufferBytes, lineMax, lineMax + 1, 3 * lineMax}
	for range 20 {
		var in strings.Builder
		var want []string
		for i := range rng.IntN(30) {
			n := sizes[rng.IntN(len(sizes))]
			line := strings.Repeat(string(rune('a'+i%26)), n)
			in.WriteString(line + "\n")
			if n > lineMax {
				line = "too long"
			}
			want = append(want, line)
		}
		want = append(want, "EOF")
		l := newLineReader(iotest.HalfReader(strings.NewReader(in.String())), lineMax)
		if got := readLines(l); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d lines, want %d", seed, len(got), len(want))
		}
		if len(l.buf) > lineMax+1 {
			t.Fatalf("seed %d: the buffer grew to %d bytes", seed, len(l.buf))
		}
	}
}

// TestLongLinesGiveTheirBufferBack: one long line does not cost its memory for the hours that follow.
func TestLongLinesGiveTheirBufferBack(t *testing.T) {
	in := strings.Repeat("x", 1<<20) + "\n" + strings.Repeat("short\n", 100_000)
	l := newLineReader(strings.NewReader(in), 2<<20)
	largest := 0
	for {
		_, err := l.next()
		largest = max(largest, len(l.buf))
		if err != nil {
			break
		}
	}
	if largest < 1<<20 || len(l.buf) != readBufferBytes {
		t.Errorf("the buffer grew to %d bytes and ended at %d, want %d", largest, len(l.buf), readBufferBytes)
	}
}

// TestEndlessLine: a line without an end is skipped as it comes.
func TestEndlessLine(t *testing.T) {
	l := newLineReader(io.MultiReader(io.LimitReader(zeros{}, 100<<20), strings.NewReader("\nafter\n")), 1<<20)
	if got := fmt.Sprintf("%q", readLines(l)); got != `["too long" "after" "EOF"]` {
		t.Errorf("got %s", got)
	}
	if len(l.buf) > 1<<20+1 {
		t.Errorf("the buffer grew to %d bytes", len(l.buf))
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
