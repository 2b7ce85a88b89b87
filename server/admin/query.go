package admin

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/megawire/megawire/codec/codes"
)

// Bounds of a page.
const (
	pageDefault = 100
	pageMax     = 1000
)

// query holds a request's parameters, percent-decoded once. A plus is a plus: it is a wildcard in filters, and no blank.
type query struct {
	values map[string]string
	raw    map[string]string // as they stood in the URL
}

// parseQuery refuses parameters that are not known or stand twice: who misspells one is told, rather than shown all.
func parseQuery(r *http.Request, known ...string) (query, error) {
	q := query{map[string]string{}, map[string]string{}}
	for part := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if part == "" {
			continue
		}
		rawName, raw, _ := strings.Cut(part, "=")
		name, err := url.PathUnescape(rawName)
		if err != nil || !slices.Contains(known, name) {
			return q, Fault{codes.BadRequest, "unknown parameter " + quote(rawName) + takes(known)}
		}
		if _, twice := q.raw[name]; twice {
			return q, Fault{codes.BadRequest, "parameter " + name + " stands twice"}
		}
		value, err := url.PathUnescape(raw)
		if err != nil || !utf8.ValidString(value) {
			return q, Fault{codes.BadRequest, "parameter " + name + ": " + quote(raw) + " is not percent-encoded UTF-8"}
		}
		q.values[name], q.raw[name] = value, raw
	}
	return q, nil
}

func takes(known []string) string {
	if len(known) == 0 {
		return ": none is taken here"
	}
	return "; there are " + strings.Join(known, ", ")
}

// limit is how many entries the page is to hold.
func (q query) limit() (int, error) {
	text, ok := q.values["limit"]
	if !ok {
		return pageDefault, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > pageMax {
		return 0, Fault{codes.BadRequest, "limit is a number from 1 to " + strconv.Itoa(pageMax) + ", not " + quote(text)}
	}
	return n, nil
}

// flag is a parameter that is 1 or 0.
func (q query) flag(name string, byDefault bool) (bool, error) {
	text, ok := q.values[name]
	switch {
	case !ok:
		return byDefault, nil
	case text == "1", text == "0":
		return text == "1", nil
	}
	return false, Fault{codes.BadRequest, name + " is 1 or 0, not " + quote(text)}
}

// filter is the parameter of that name, or "" without. A # that was not escaped began the URL's fragment, which is not
// sent (RFC 3986 §3.5): what is left of the filter would mean something else.
func (q query) filter() (string, error) {
	raw, ok := q.raw["filter"]
	if ok && (raw == "" || strings.HasSuffix(raw, "/")) {
		return "", Fault{codes.BadTopic, "filter ends in an empty level: if a # was meant, it is written %23 in a URL (and an empty level after %2F)"}
	}
	return q.values["filter"], nil
}
