package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/megawire/megawire/codec/codes"
)

// adminAPI is the admin listener as pub uses it.
type adminAPI struct {
	base *url.URL
}

func newAdminAPI(address string) (adminAPI, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return adminAPI{}, usageError{fmt.Errorf("--admin %q is not a URL such as http://127.0.0.1:9080", address)}
	}
	return adminAPI{u}, nil
}

// pubFault is why the server refused a message.
type pubFault struct {
	Code    string
	Message string
}

// pubAnswer is any answer of POST /v1/publish.
type pubAnswer struct {
	// Of one message.
	Topic string
	Epoch string
	Seq   uint64

	// Of a stream: how many lines were published, how many skipped, and which was the
	// first of those.
	Published uint64
	Failed    uint64
	First     *struct {
		Line  uint64
		Error pubFault
	}

	// What ended the request, and in a stream at which line.
	Error *pubFault
	Line  uint64
}

// post sends body and reads the answer, whatever its status.
func (a adminAPI) post(ctx context.Context, contentType string, body io.Reader) (status int, answer pubAnswer, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base.JoinPath("/v1/publish").String(), body)
	if err != nil {
		return 0, answer, err
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, answer, a.explain(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return 0, answer, fmt.Errorf("reading the answer: %w", err)
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return 0, answer, fmt.Errorf("%s answered %s without the JSON of a Megawire admin listener; does --admin name one?", a.base, resp.Status)
	}
	if answer.Error != nil && resp.StatusCode == http.StatusBadRequest && answer.Error.Message == publicListenerSays {
		return 0, answer, fmt.Errorf("%w: %s is where a server takes its WebSocket clients\n"+
			"  --admin names admin.listen of its configuration, by default http://127.0.0.1:9080", errNoAdmin, a.base)
	}
	return resp.StatusCode, answer, nil
}

// publicListenerSays is how the public listener refuses whatever has a body, as all that
// pub sends has.
const publicListenerSays = "a request body is not accepted here"

// errNoAdmin says that something else answers: nothing was published.
var errNoAdmin = errors.New("this is no admin listener")

// neverSent reports whether nothing can have been published.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.Is(err, errNoAdmin) || errors.As(err, &op) && op.Op == "dial"
}

// explain adds to an error of the network what to do about it.
func (a adminAPI) explain(err error) error {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("no server answers at %s: %w\n"+
			"  start one with: megawire serve\n  or name another one's admin listener with --admin", a.base, err)
	}
	return fmt.Errorf("publishing to %s: %w", a.base, err)
}

// refusal says why the server did not publish, and what to do next.
func (a *pubAnswer) refusal(status int) error {
	switch {
	case a.Error != nil && a.Line > 0:
		return fmt.Errorf("%d published, then line %d ended it: %w", a.Published, a.Line, a.Error)
	case a.Error != nil:
		return a.Error
	case a.Failed > 0 && a.First != nil:
		return fmt.Errorf("%d of %d lines were skipped; the first is line %d: %w",
			a.Failed, a.Failed+a.Published, a.First.Line, &a.First.Error)
	}
	return fmt.Errorf("the server answered %d %s", status, http.StatusText(status))
}

// Error gives the server's words and what to do next.
func (f *pubFault) Error() string {
	s := f.Code + ": " + f.Message
	if hint := pubHints[f.Code]; hint != "" {
		s += "\n  " + hint
	}
	return s
}

var pubHints = map[string]string{
	codes.BadTopic:    "a topic has 1 to 255 bytes, no + and no #, and does not begin with $",
	codes.BadRequest:  `a line is one JSON object: {"topic":"a/b","data":<JSON>}, or "text" or "bin" in place of "data"`,
	codes.TooLarge:    "limits.message_bytes in the server's configuration is the bound",
	codes.Forbidden:   "names that begin with $ are the server's own",
	codes.Unavailable: "the server has no room or is stopping; try again, or slower with --pace",
}
