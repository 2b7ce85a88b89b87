package http1

// Error is a refused request: the response that it gets.
type Error struct {
	Status  int
	Code    string   // for programs
	Message string   // for people
	Header  []string // complete lines, "Name: value"
}

// Error gives the text for a log.
func (e *Error) Error() string { return "http1: " + e.Message }

// AppendError appends the whole response to a refused request. The connection is to be closed after it.
func AppendError(dst []byte, e *Error) []byte { return dst }

// AppendResponse appends a whole response. The connection is to be closed after it.
func AppendResponse(dst []byte, status int, contentType string, body []byte) []byte { return dst }
