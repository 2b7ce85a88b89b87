package protocol

import (
	"fmt"
	"strconv"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/http1"
	"github.com/megawire/megawire/codec/native"
	"github.com/megawire/megawire/pubsub"
)

// option is a parameter of a URL that says how its subscriptions are served.
type option struct {
	name, expected string
	read           func(value string, r *pubsub.Request) bool
}

var options = [...]option{
	{"last", "a whole number, 0 or more", readLast},
	{"mode", "all or latest", readMode},
	{"every", fmt.Sprintf("a whole number of milliseconds from %d to %d", native.EveryMsMin, native.EveryMsMax), readEvery},
}

// ReadOptions reads last, mode and every from a query into r, for all subscriptions that the URL asks for. It names
// the first that is there, "" if none is.
func ReadOptions(query []byte, r *pubsub.Request) (first string, _ *http1.Error) {
	for i := range options {
		o := &options[i]
		raw, n := http1.Param(query, o.name)
		if n == 0 {
			continue
		}
		if n > 1 {
			return "", badParam("the parameter " + o.name + " stands more than once")
		}
		value, err := http1.Unescape(nil, raw)
		if err != nil || !o.read(string(value), r) {
			return "", badParam("the parameter " + o.name + " must be " + o.expected)
		}
		if first == "" {
			first = o.name
		}
	}
	if r.Terms.Mode == pubsub.ModeAll && r.Terms.EveryMillis > 0 {
		return "", badParam("the parameters mode=all and every contradict each other: every implies latest")
	}
	return first, nil
}

func readLast(value string, r *pubsub.Request) bool {
	n, err := strconv.ParseUint(value, 10, 53) // below 2^53, as everywhere
	r.Last = int(n)
	return err == nil
}

func readMode(value string, r *pubsub.Request) bool {
	switch value {
	case "all":
		r.Terms.Mode = pubsub.ModeAll
	case "latest":
		r.Terms.Mode = pubsub.ModeLatest
	default:
		return false
	}
	return true
}

func readEvery(value string, r *pubsub.Request) bool {
	n, err := strconv.ParseUint(value, 10, 32)
	r.Terms.EveryMillis = int(n)
	return err == nil && n >= native.EveryMsMin && n <= native.EveryMsMax
}

// RefuseUnbuilt refuses the query parameters that are part of the protocol and not built yet.
func RefuseUnbuilt(r *http1.Request, names ...string) *http1.Error {
	for _, name := range names {
		if _, n := http1.Param(r.Query, name); n > 0 {
			return badParam("the parameter " + name + " is not built yet")
		}
	}
	return nil
}

func badParam(message string) *http1.Error {
	return &http1.Error{Status: 400, Code: codes.BadRequest, Message: message}
}
