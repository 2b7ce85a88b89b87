package http1

// Bounds of a request's head.
const (
	HeadBytesMax = 8192 // request line and headers with the empty line that ends them
	HeadersMax   = 64
)

// Request is the head of a request. Its slices alias the bytes given to Parse and are valid as long as those. One value
// can be parsed into again and again without allocating.
type Request struct {
	Method []byte
	Host   []byte // of an absolute-form target, else the Host header
	Path   []byte // still percent-encoded, begins with '/'
	Query  []byte // still percent-encoded, without '?'; empty if none

	src     []byte
	headers [HeadersMax]field
	count   int
}

// field is where a header stands in the head; HeadBytesMax fits 16 bits.
type field struct {
	name, nameEnd, value, valueEnd uint16
}

// Header gives the first value of a header and how many times the header appears. The name's case does not matter.
func (r *Request) Header(name string) (value []byte, n int) { return nil, 0 }

// HeaderToken reports whether the comma-separated list of a header, over all its instances, has the token (RFC 9110
// §5.6.1). Case matters neither in name nor in token.
func (r *Request) HeaderToken(name, token string) bool { return false }

// Parse reads the head that src begins with into r. n is its length in bytes with the empty line that ends it; it is 0,
// without an error, while src does not hold all of it.
func Parse(src []byte, r *Request) (n int, err *Error) { return 0, nil }
