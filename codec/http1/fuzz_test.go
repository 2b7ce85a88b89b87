package http1

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"testing"
	"unicode/utf8"
)

// FuzzParse holds Parse against itself on shorter input, and against net/http: what we take, it takes, and sees the same
// in it. (It takes much that we refuse.)
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, src []byte) {
		checkPrefixes(t, "input", src, 0)
		var r Request
		n, fault := Parse(src, &r)
		if n < 0 || n > min(len(src), HeadBytesMax) || (fault != nil && n != 0) {
			t.Fatalf("n %d of %d, fault %v", n, len(src), fault)
		}
		if fault != nil && (fault.Status < 400 || fault.Code == "" || fault.Message == "") {
			t.Fatalf("fault %+v", fault)
		}
		if n == 0 {
			return
		}
		if !bytes.HasSuffix(src[:n], []byte("\r\n\r\n")) || len(r.Path) == 0 || r.Path[0] != '/' || len(r.Host) == 0 && r.Minor > 0 {
			t.Fatalf("head %q, path %q, host %q", src[:n], r.Path, r.Host)
		}
		EachParam(r.Query, func(_, value []byte) bool {
			SplitList(value, func(e []byte) bool { _, _ = Unescape(nil, e); return true })
			return true
		})
		theirs, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(src[:n])))
		if err != nil {
			return // net/http looks into hosts and escapes, and we leave that to others
		}
		if theirs.Method != string(r.Method) || theirs.Host != string(r.Host) || theirs.URL.RawQuery != string(r.Query) {
			t.Errorf("%q: method %q, host %q, query %q; net/http sees %q, %q, %q",
				src[:n], r.Method, r.Host, r.Query, theirs.Method, theirs.Host, theirs.URL.RawQuery)
		}
		for name, values := range theirs.Header {
			if value, count := r.Header(name); count != len(values) || string(value) != values[0] {
				t.Errorf("%s: %q, %d; net/http sees %q", name, value, count, values)
			}
		}
	})
}

// FuzzUnescape holds Unescape against net/url.
func FuzzUnescape(f *testing.F) {
	f.Fuzz(func(t *testing.T, src []byte) {
		got, err := Unescape(nil, src)
		want, wantErr := url.PathUnescape(string(src))
		if ok := wantErr == nil && utf8.ValidString(want); ok != (err == nil) || ok && string(got) != want {
			t.Errorf("%q: %q, %v; net/url says %q, %v", src, got, err, want, wantErr)
		}
	})
}
