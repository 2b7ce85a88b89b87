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
