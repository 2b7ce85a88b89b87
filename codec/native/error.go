package native

// Codes of Error, as they stand on the wire.
const (
	BadRequest   = "bad_request"
	Unauthorized = "unauthorized"
	Forbidden    = "forbidden"
	BadTopic     = "bad_topic"
	TooMany      = "too_many"
	TooLarge     = "too_large"
	RateLimited  = "rate_limited"
	Unavailable  = "unavailable"
)

// Error is why a request, or one topic of it, was refused: a code for programs and a text for people, both for the wire.
type Error struct {
	Code, Message string
	RetryAfterMs  int // with RateLimited; 0 leaves it out
}

// Error gives the text for a log.
func (e *Error) Error() string { return "native: " + e.Code + ": " + e.Message }

func badRequest(message string) *Error { return &Error{Code: BadRequest, Message: message} }
