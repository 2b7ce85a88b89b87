// Package codes has the codes by which a program tells one refusal from another, in HTTP answers and in megawire.v1 alike.
package codes

// What can be wrong with a request, wherever it is made.
const (
	BadRequest   = "bad_request" // not as the protocol says; the message names what
	Unauthorized = "unauthorized"
	Forbidden    = "forbidden"
	BadTopic     = "bad_topic"
	TooMany      = "too_many" // a bound on how many there may be
	TooLarge     = "too_large"
	RateLimited  = "rate_limited"
	Unavailable  = "unavailable" // for now: the same request may succeed later
)

// What else an HTTP request is answered with.
const (
	NotFound         = "not_found"
	MethodNotAllowed = "method_not_allowed"
	UpgradeRequired  = "upgrade_required" // the path is a WebSocket's
	BadMediaType     = "bad_media_type"
	Timeout          = "timeout" // the request did not come in time
	Full             = "full"    // as many connections as there may be
	Draining         = "draining"
	Memory           = "memory" // the server has less of it than it needs
	Internal         = "internal"
)
