package ws

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return b
}

func TestInflate(t *testing.T) {
	for _, c := range []struct {
		about string
		hex   string
		want  string
		err   error
	}{
		{"a block with the fixed codes (RFC 7692 §7.2.3.1)", "f2 48 cd c9 c9 07 00", "Hello", nil},
		{"a stored block (§7.2.3.3)", "00 05 00 fa ff 48 65 6c 6c 6f 00", "Hello", nil},
		{"a final block, and the empty one behind it (§7.2.3.4)", "f3 48 cd c9 c9 07 00 00", "Hello", nil},
		{"two blocks (§7.2.3.5)", "f2 48 05 00 00 00 ff ff ca c9 c9 07 00", "Hello", nil},
		{"nothing (§7.2.3.6)", "00", "", nil},
		{"nothing, in the fixed codes", "02 00", "", nil},
		{"a final block with nothing behind it", "f3 48 cd c9 c9 07 00", "Hello", nil},
		{"a final stored block with nothing behind it", "01 05 00 fa ff 48 65 6c 6c 6f", "Hello", nil},
		{"two final blocks", "f3 48 cd c9 c9 07 00 f3 48 cd c9 c9 07 00", "HelloHello", nil},
		{"a final block, then a stored one", "f3 48 cd c9 c9 07 00 00 01 00 fe ff 21 00", "Hello!", nil},
		{"a final block, then what is none", "f3 48 cd c9 c9 07 00 06", "", errInflate},
		{"not a byte", "", "", errInflate},
		{"a message whose flush was left in", "f2 48 cd c9 c9 07 00 00 00 ff ff", "", errInflate},
		{"an end in the middle of a block", "f2 48 cd c9", "", errInflate},
		{"an end right behind a block, with no room for another's header", "f2 48 cd c9 c9 07", "", errInflate},
		{"an end in the middle of a stored block", "00 05 00 fa ff 48 65 6c", "", errInflate},
		{"a stored block that would end in the flush that is left out", "00 04 00 fb ff", "", errInflate},
		{"an end in the middle of a length", "00 05 00 fa", "", errInflate},
		{"a length that is not checked by its complement", "00 05 00 fa fe 48 65 6c 6c 6f 00", "", errInflate},
		{"a block of the kind that is reserved", "06 00", "", errInflate},
		{"a reference back beyond the beginning (\"Hello\" again, in the window of a message before)", "f2 00 11 00 00", "", errInflate},
	} {
		payload := unhex(t, c.hex)
		before := bytes.Clone(payload)
		got, err := NewInflater(100).Inflate(payload, 100)
		if !errors.Is(err, c.err) || string(got) != c.want && c.err == nil {
			t.Errorf("%s: %q, %v; want %q, %v", c.about, got, err, c.want, c.err)
		}
		if !bytes.Equal(payload, before) {
			t.Errorf("%s: the payload was changed", c.about)
		}
	}
}

// TestInflateCodes gives blocks that no compressor writes.
func TestInflateCodes(t *testing.T) {
	fixed := func(symbols ...int) *bitWriter {
		w := new(bitWriter).put(2, 3)
		for _, symbol := range symbols {
			w.fixed(symbol)
		}
		return w
	}
	// coded begins a block with codes of its own: the lengths of codes for lengths, and then those, by those codes.
	coded := func(literals, distances int, lengthBits ...int) *bitWriter {
		w := new(bitWriter).put(4, 3).put(literals-257, 5).put(distances-1, 5).put(len(lengthBits)-4, 4)
		for _, n := range lengthBits {
			w.put(n, 3)
		}
		return w
	}
	end := func(w *bitWriter) []byte { return w.fixed(endOfBlock).put(0, 3).bytes }
	for _, c := range []struct {
		about   string
		payload []byte
		want    string
		err     error
	}{
		{"a reference to the byte before, longer than what there is", end(fixed('a', 263).code(0, 5)), "aaaaaaaaaa", nil},
		{"to two bytes before", end(fixed('a', 'b', 259).code(1, 5)), "abababa", nil},
		{"to one byte more than there are", end(fixed('a', 'b', 259).code(2, 5)), "", errInflate},
		{"a length with extra bits", end(fixed('a', 265).put(1, 1).code(0, 5)), strings.Repeat("a", 13), nil},
		{"the longest length", end(fixed('a', 285).code(0, 5)), strings.Repeat("a", 259), nil},
		{"a length that does not exist", end(fixed('a', 286).code(0, 5)), "", errInflate},
		{"a distance that does not exist", end(fixed('a', 259).code(30, 5)), "", errInflate},
		{"an end before a distance", fixed('a', 259).bytes, "", errInflate},
		{"an end within extra bits", fixed('a', 284).put(0, 2).bytes, "", errInflate},
		{"a code for the end alone", func() []byte {
			var w bitWriter
			emptyCodedBlock(&w)
			return w.put(0, 3).bytes
		}(), "", nil},
		{"codes for all there is, of which some are longer than the table", func() []byte {
			var w bitWriter
			emptyLongCodedBlock(&w)
			return w.put(0, 3).bytes
		}(), "", nil},
		{"a code that repeats the one before, with none before", coded(257, 1, 1, 0, 0, 1).code(1, 1).put(0, 2).bytes, "", errInflate},
		{"more codes for lengths than bits can tell apart", coded(257, 1, 1, 1, 1, 0).bytes, "", errInflate},
		{"fewer of them than there could be", coded(257, 1, 2, 2, 2, 0).bytes, "", errInflate},
		{"no codes for lengths", coded(257, 1, 0, 0, 0, 0).put(0, 30).bytes, "", errInflate},
		{"zeros beyond the end of the list", coded(257, 1, 0, 0, 1, 1).code(1, 1).put(127, 7).code(1, 1).put(127, 7).bytes, "", errInflate},
		{"nothing has a code", coded(257, 1, 0, 0, 1, 1).code(1, 1).put(127, 7).code(1, 1).put(109, 7).put(0, 30).bytes, "", errInflate},
		{"more literals than there are", coded(287, 1, 1, 0, 0, 1).bytes, "", errInflate},
		{"more distances than there are", coded(257, 31, 1, 0, 0, 1).bytes, "", errInflate},
		{"an end within the head", new(bitWriter).put(4, 3).put(0, 5).bytes, "", errInflate},
	} {
		got, err := NewInflater(100).Inflate(c.payload, 1000)
		if !errors.Is(err, c.err) || string(got) != c.want {
			t.Errorf("%s: %q, %v; want %q, %v", c.about, got, err, c.want, c.err)
		}
		checkInflate(t, c.payload, 1000, 100)
	}
}

// TestInflateBounds: what comes out is bounded in bytes and by its ratio to what came in, to the byte.
func TestInflateBounds(t *testing.T) {
	const size = 4 << 20
	zeros := compressedOf(make([]byte, size))
	ratio := size / len(zeros) // and a bit
	for _, c := range []struct {
		about    string
		payload  []byte
		bytesMax int
		ratioMax int
		err      error
	}{
		{"exactly the bound", zeros, size, 2000, nil},
		{"a byte more than the bound", zeros, size - 1, 2000, errInflateTooBig},
		{"a bound of nothing", zeros, 0, 2000, errInflateTooBig},
		{"nothing, with a bound of nothing", []byte{0}, 0, 100, nil},
		{"the ratio it has", zeros, size, ratio + 1, nil},
		{"a ratio below", zeros, size, ratio, errInflateRatio},
		{"any ratio, of as much as is free", compressedOf(make([]byte, RatioFreeBytes)), size, 0, nil},
		{"a byte more than is free", compressedOf(make([]byte, RatioFreeBytes+1)), size, 0, errInflateRatio},
		{"both bounds passed, that of size first", zeros, RatioFreeBytes, 0, errInflateTooBig},
		{"stored, in pieces of which one is too many", []byte("\x00\x02\x00\xfd\xffab\x00\x02\x00\xfd\xffcd\x00"), 3, 100, errInflateTooBig},
	} {
		f := NewInflater(c.ratioMax)
		if got, err := f.Inflate(c.payload, c.bytesMax); !errors.Is(err, c.err) || err != nil && got != nil {
			t.Errorf("%s: %d bytes, %v; want %v", c.about, len(got), err, c.err)
		}
		checkInflate(t, c.payload, c.bytesMax, c.ratioMax)
	}
}

// TestInflaterGivesBack: a buffer that one large message has needed is not kept, one of ordinary size is.
func TestInflaterGivesBack(t *testing.T) {
	f := NewInflater(1 << 20)
	for _, size := range []int{3 << 20, 10} {
		if got, err := f.Inflate(compressedOf(make([]byte, size)), 4<<20); err != nil || len(got) != size {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	if held := cap(f.out); held > inflatedKeptBytesMax {
		t.Errorf("%d bytes held after a message of 10", held)
	}
}
