package ws

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	deflateLine        = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	deflateLineBounded = deflateLine + "; server_max_window_bits=12"
)

func TestDeflateNegotiation(t *testing.T) {
	const declined, plain, bounded, refused = "", deflateLine, deflateLineBounded, "400"
	for _, c := range []struct {
		about  string
		offers []string // a header each
		want   string
	}{
		{"no offer", nil, declined},
		{"the extension alone", []string{"permessage-deflate"}, plain},
		{"as Chromium and Firefox offer it", []string{"permessage-deflate; client_max_window_bits"}, plain},
		{"as Python's websockets offers it", []string{"permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"}, bounded},
		{"as Safari's older one is called", []string{"x-webkit-deflate-frame"}, declined},
		{"all four parameters", []string{"permessage-deflate; client_max_window_bits=9; server_max_window_bits=13; server_no_context_takeover; client_no_context_takeover"}, bounded},
		{"quotes and blanks", []string{`permessage-deflate;client_max_window_bits="10"` + " ;\tserver_max_window_bits = \"15\" "}, bounded},
		{"the largest window of the server's", []string{"permessage-deflate; server_max_window_bits=15"}, bounded},
		{"the smallest that can be served", []string{"permessage-deflate; server_max_window_bits=12"}, bounded},
		{"one that is too small", []string{"permessage-deflate; server_max_window_bits=11"}, declined},
		{"the smallest there is", []string{"permessage-deflate; server_max_window_bits=8"}, declined},
		{"a window of the server's without a size", []string{"permessage-deflate; server_max_window_bits"}, declined},
		{"a window of 7 bits", []string{"permessage-deflate; client_max_window_bits=7"}, declined},
		{"of 8", []string{"permessage-deflate; client_max_window_bits=8"}, plain},
		{"of 15", []string{"permessage-deflate; client_max_window_bits=15"}, plain},
		{"of 16", []string{"permessage-deflate; client_max_window_bits=16"}, declined},
		{"of 0", []string{"permessage-deflate; client_max_window_bits=0"}, declined},
		{"of 08", []string{"permessage-deflate; client_max_window_bits=08"}, declined},
		{"of 012", []string{"permessage-deflate; server_max_window_bits=012"}, declined},
		{"of +12", []string{"permessage-deflate; server_max_window_bits=+12"}, declined},
		{"of 112", []string{"permessage-deflate; server_max_window_bits=112"}, declined},
		{"of a word", []string{"permessage-deflate; client_max_window_bits=ten"}, declined},
		{"of nothing", []string{"permessage-deflate; client_max_window_bits="}, declined},
		{"of nothing, in quotes", []string{`permessage-deflate; client_max_window_bits=""`}, declined},
		{"of two words", []string{`permessage-deflate; client_max_window_bits="1 0"`}, declined},
		{"a number that is escaped, which says the same and is none of our clients'", []string{`permessage-deflate; client_max_window_bits="\10"`}, declined},
		{"a value where there is none", []string{"permessage-deflate; server_no_context_takeover=true"}, declined},
		{"an empty one", []string{"permessage-deflate; client_no_context_takeover="}, declined},
		{"a parameter twice", []string{"permessage-deflate; client_max_window_bits; client_max_window_bits=10"}, declined},
		{"one without a value twice", []string{"permessage-deflate; server_no_context_takeover; server_no_context_takeover"}, declined},
		{"a parameter that nobody knows", []string{"permessage-deflate; level=9"}, declined},
		{"one in capitals", []string{"permessage-deflate; Client_Max_Window_Bits"}, declined},
		{"an offer to fall back on", []string{"permessage-deflate; server_max_window_bits=10, permessage-deflate"}, plain},
		{"in a header of its own", []string{"permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=13"}, bounded},
		{"the first of two", []string{"permessage-deflate, permessage-deflate; server_max_window_bits=12"}, plain},
		{"others around it", []string{"foo; a=b; c=\"d\", permessage-deflate, x-bar"}, plain},
		{"others alone", []string{"permessage-bzip2, permessage-deflated"}, declined},
		{"empty elements", []string{", ,permessage-deflate,"}, plain},
		{"an empty header", []string{""}, declined},
		{"a parameter without a name", []string{"permessage-deflate; =10"}, refused},
		{"a semicolon too many", []string{"permessage-deflate;"}, refused},
		{"two semicolons", []string{"permessage-deflate;; client_max_window_bits"}, refused},
		{"no semicolon", []string{"permessage-deflate client_max_window_bits"}, refused},
		{"no name", []string{"=; permessage-deflate"}, refused},
		{"a quote that does not end", []string{`permessage-deflate; client_max_window_bits="10`}, refused},
		{"a quote that a comma is in", []string{`foo; a="b, permessage-deflate, c"`}, refused},
		{"two values", []string{"permessage-deflate; client_max_window_bits=10 11"}, refused},
		{"what is no list, behind an offer that could be taken", []string{"permessage-deflate, (comment)"}, refused},
	} {
		var changes []string
		for _, offer := range c.offers {
			changes = append(changes, "+Sec-WebSocket-Extensions: "+offer)
		}
		for _, on := range []bool{true, false} {
			out, deflate, err := AppendUpgrade(nil, parse(t, upgradeHead(changes...)), UpgradeOptions{Deflate: on})
			if c.want == refused {
				if err == nil || err.Status != 400 || !strings.Contains(err.Message, "Sec-WebSocket-Extensions") || len(out) > 0 || deflate {
					t.Errorf("%s: %q, %v, %v; want it refused", c.about, out, deflate, err)
				}
				continue
			}
			want := ""
			if on {
				want = c.want
			}
			if got := extensionLine(string(out)); err != nil || got != want || deflate != (want != "") {
				t.Errorf("%s, with deflate %v: %q, %v, %v; want %q", c.about, on, got, deflate, err, want)
			}
		}
	}
}

// extensionLine gives the header of a response that says what was agreed on.
func extensionLine(response string) string {
	for line := range strings.SplitSeq(response, "\r\n") {
		if strings.HasPrefix(line, "Sec-WebSocket-Extensions:") {
			return line
		}
	}
	return ""
}

// A list of extensions as RFC 6455 §9.1 has it, but that values may be empty or no tokens, which is for each extension to
// judge. A comma ends a value in quotes as well.
var (
	slowToken = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
	slowParam = "[ \t]*;[ \t]*(" + slowToken + ")[ \t]*(=[ \t]*(?:\"((?:[^\",\\\\]|\\\\[^,])*)\"|(" + slowToken + ")?))?"
	slowOffer = regexp.MustCompile("^(" + slowToken + ")((?:" + slowParam + ")*)[ \t]*$")
	slowEach  = regexp.MustCompile(slowParam)
	slowBits  = regexp.MustCompile("^(8|9|1[0-5])$")
)

// slowExtension says what is answered to the headers given: the line of the response, or "400".
func slowExtension(headers ...string) (line string) {
	for element := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		if element = strings.Trim(element, " \t"); element == "" {
			continue
		}
		parts := slowOffer.FindStringSubmatch(element)
		if parts == nil {
			return "400"
		}
		if line != "" || parts[1] != "permessage-deflate" {
			continue
		}
		var names []string
		good, answer := true, deflateLine
		for _, p := range slowEach.FindAllStringSubmatch(parts[2], -1) {
			name, valued, value := p[1], p[2] != "", p[3]+p[4]
			switch name {
			case "server_no_context_takeover", "client_no_context_takeover":
				good = good && !valued
			case "client_max_window_bits":
				good = good && (!valued || slowBits.MatchString(value))
			case "server_max_window_bits":
				good = good && slices.Contains([]string{"12", "13", "14", "15"}, value)
				answer = deflateLineBounded
			default:
				good = false
			}
			good = good && !slices.Contains(names, name)
			names = append(names, name)
		}
		if good {
			line = answer
		}
	}
	return line
}
