package native

import "github.com/megawire/megawire/codec/codes"

// Error is why a request, or one topic of it, was refused: a code for programs and a text for people, both for the wire.
type Error struct {
	Code, Message string // Code is one of package codes
	RetryAfterMs  int    // with codes.RateLimited or codes.Unavailable; 0 leaves it out
}

// Error gives the text for a log.
func (e *Error) Error() string { return "native: " + e.Code + ": " + e.Message }

func badRequest(message string) *Error { return &Error{Code: codes.BadRequest, Message: message} }
