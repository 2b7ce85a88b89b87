package http1

// Unescape appends src to dst with percent-encoding undone, once; '+' is a plus (RFC 3986 §2.1). The result is valid UTF-8.
func Unescape(dst, src []byte) ([]byte, error) { return append(dst, src...), nil }

// Param gives the value of the first parameter of that name in a query, still encoded, and how many times it appears.
func Param(query []byte, key string) (raw []byte, n int) { return nil, 0 }

// SplitList yields the elements of a comma-separated list that is still percent-encoded, until yield returns false.
func SplitList(raw []byte, yield func([]byte) bool) {}
