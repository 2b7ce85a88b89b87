package http1

import "bytes"

// Bounds of a request's head.
const (
	HeadBytesMax = 8192 // request line and headers with the empty line that ends them, unless a Request says otherwise
	HeadersMax   = 64

	headBytesCeiling = 60 << 10 // of what a Request may say: a field's places have 16 bits
)

// Request is the head of a request. Its slices alias the bytes given to Parse and are valid as long as those. One value
// can be parsed into again and again without allocating. After a fault it has what was read before it.
type Request struct {
	HeadBytesMax int // set by the caller, at most 60 KiB; 0 for the usual HeadBytesMax

	Method []byte
	Minor  int    // of the version, HTTP/1.x: 1 or 0
	Host   []byte // with the port, if any; of an absolute-form target, else of the Host header; may be empty in HTTP/1.0
	Path   []byte // still percent-encoded, begins with '/'
	Query  []byte // still percent-encoded, without '?'; empty if none

	src     []byte
	headers [HeadersMax]field
	count   int
}

// field is where a header stands in the head.
type field struct {
	name, nameEnd, value, valueEnd uint16
}

// headBytesMax is the bound in force.
func (r *Request) headBytesMax() int {
	if r.HeadBytesMax == 0 {
		return HeadBytesMax
	}
	return min(r.HeadBytesMax, headBytesCeiling)
}

func (r *Request) name(i int) []byte {
	return r.src[r.headers[i].name:r.headers[i].nameEnd]
}

func (r *Request) value(i int) []byte {
	return r.src[r.headers[i].value:r.headers[i].valueEnd]
}

// Header gives the first value of a header and how many times the header appears. The name's case does not matter.
func (r *Request) Header(name string) (value []byte, n int) {
	for i := range r.count {
		if !equalFold(r.name(i), name) {
			continue
		}
		if n++; n == 1 {
			value = r.value(i)
		}
	}
	return value, n
}

// Each yields the elements of a header's comma-separated list, over all its instances, until yield returns false (RFC 9110
// §5.6.1). Empty elements are passed over. Quoted strings are not looked into.
func (r *Request) Each(name string, yield func(element []byte) bool) {
	for i := range r.count {
		if !equalFold(r.name(i), name) {
			continue
		}
		for rest := r.value(i); len(rest) > 0; {
			var element []byte
			element, rest, _ = bytes.Cut(rest, comma)
			if element = bytes.Trim(element, " \t"); len(element) > 0 && !yield(element) {
				return
			}
		}
	}
}

// HeaderToken reports whether the comma-separated list of a header, over all its instances, has the token. Case matters
// neither in name nor in token.
func (r *Request) HeaderToken(name, token string) (found bool) {
	r.Each(name, func(element []byte) bool {
		found = equalFold(element, token)
		return !found
	})
	return found
}
