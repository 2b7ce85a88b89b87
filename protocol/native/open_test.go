package native

import (
	"fmt"
	"strings"
	"testing"

	"github.com/megawire/megawire/protocol"
	"github.com/megawire/megawire/pubsub"
)

// What a URL asks for: the subscriptions, or the refusal of the upgrade.
func TestOpen(t *testing.T) {
	for _, row := range []struct{ says, target, asked, refusal string }{
		{"nothing", "/ws", "", ""},
		{"a topic", "/ws?topics=a", "a", ""},
		{"topics and patterns", "/ws?topics=a,b/+,c/%23,d%2Ce", "a; b/+; c/#; d,e", ""},
		{"the server's own", "/ws?topics=$sys/heartbeat", "$sys/heartbeat", ""},
		{"options, of all of them", "/ws?topics=a,b/+&last=1&mode=latest&every=250",
			"a last=1 of 10000 latest every=250; b/+ last=1 of 9999 latest every=250", ""},
		{"options in front, in escapes", "/ws?mode=l%61test&last=%35&topics=a", "a last=5 of 10000 latest", ""},
		{"the mode all", "/ws?topics=a&mode=all", "a all", ""},
		{"a last of nothing", "/ws?topics=a&last=0", "a", ""},
		{"the shortest and the longest every", "/ws?topics=a&every=10", "a every=10", ""},
		{"parameters of others", "/ws?topics=a&utm=1&since=2", "a", ""},

		{"a token", "/ws?token=x", "", "400 bad_request the parameter token is not built yet"},
		{"options for nothing", "/ws?mode=latest&last=1", "", "400 bad_request the parameter last is about the topics of a URL, and this one has none"},
		{"a last that is no number", "/ws?topics=a&last=x", "", "400 bad_request the parameter last must be a whole number, 0 or more"},
		{"a last below zero", "/ws?topics=a&last=-1", "", "400 bad_request the parameter last must be a whole number, 0 or more"},
		{"an empty last", "/ws?topics=a&last=", "", "400 bad_request the parameter last must be a whole number, 0 or more"},
		{"a last of 2^53", "/ws?topics=a&last=9007199254740992", "", "400 bad_request the parameter last must be a whole number, 0 or more"},
		{"two lasts", "/ws?topics=a&last=1&last=1", "", "400 bad_request the parameter last stands more than once"},
		{"another mode", "/ws?topics=a&mode=Latest", "", "400 bad_request the parameter mode must be all or latest"},
		{"a mode in a wrong escape", "/ws?topics=a&mode=%zz", "", "400 bad_request the parameter mode must be all or latest"},
		{"an every below 10", "/ws?topics=a&every=9", "", "400 bad_request the parameter every must be a whole number of milliseconds from 10 to 86400000"},
		{"an every above a day", "/ws?topics=a&every=86400001", "", "400 bad_request the parameter every must be a whole number of milliseconds from 10 to 86400000"},
		{"an every with a unit", "/ws?topics=a&every=1s", "", "400 bad_request the parameter every must be a whole number of milliseconds from 10 to 86400000"},
		{"all and every", "/ws?topics=a&mode=all&every=10", "", "400 bad_request the parameters mode=all and every contradict each other: every implies latest"},
		{"topics twice", "/ws?topics=a&topics=b", "", "400 bad_topic the parameter topics stands more than once: separate topics by commas"},
		{"what is left of a #", "/ws?topics=a/", "", "400 bad_topic topics ends in an empty level: if a # was meant, it is written %23 in a URL"},
		{"what is left of a # alone", "/ws?topics=", "", "400 bad_topic topics ends in an empty level: if a # was meant, it is written %23 in a URL"},
		{"no pattern", "/ws?topics=a,b%23,c", "a; b#", `400 bad_topic + and # stand for whole levels, alone between slashes: not so in the level "b#"`},
		{"no permission", "/ws?topics=secret", "secret", "403 forbidden no permission to subscribe to secret"},
		{"too much at once", "/ws?topics=a,big,big,big&last=4000", "a last=4000 of 10000; big last=4000 of 9999; big last=4000 of 5999; big last=4000 of 1999",
			"400 too_many last brings too much: at most 10000 messages in all topics of a request"},
		{"too many topics", "/ws?topics=full", "full", "503 too_many the server holds as many topics as it may"},
	} {
		t.Run(row.says, func(t *testing.T) {
			var n Protocol
			p := &openPeer{fakePeer{refused: map[string]error{
				"secret": protocol.ErrForbidden, "full": pubsub.ErrTooManyTopics,
			}}}
			refusal := ""
			if err := n.Open(p, upgradeFor(row.target)); err != nil {
				refusal = fmt.Sprintf("%d %s %s", err.Status, err.Code, err.Message)
			}
			if refusal != row.refusal {
				t.Errorf("refused with %q\nwant         %q", refusal, row.refusal)
			}
			if asked := strings.Join(p.asked, "; "); asked != row.asked {
				t.Errorf("asked for %q, want %q", asked, row.asked)
			}
			if len(p.replies) != 0 {
				t.Errorf("replied %q, before the upgrade", p.replies)
			}
		})
	}
}

// openPeer keeps much of the topic big and one message of every other.
type openPeer struct{ fakePeer }

func (p *openPeer) Subscribe(r *pubsub.Request) (pubsub.Joined, error) {
	if p.kept = 1; r.Filter == "big" {
		p.kept = 4000
	}
	return p.fakePeer.Subscribe(r)
}
