package e2e

import (
	"strings"
	"testing"

	"github.com/megawire/megawire/server/config"
)

// JSON nested deeper than readers bear is refused, except on /raw, which has no replies: there it is text.
func TestDeepJSON(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Anonymous.Publish = []string{"#"} })
	w := newWitness(r)
	deep := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	reader := r.dial("/ws")
	reader.subscribe("deep")

	p := r.dial("/ws")
	p.send(`{"op":"publish","id":1,"topic":"deep","data":` + deep(129) + `}`)
	p.expect(`{"op":"error","id":1,"code":"bad_request","message":"nested deeper than 128 levels"}`)
	p.send(`{"op":"publish","topic":"deep","data":` + deep(128) + `}`)
	status, answer, err := r.post(typeJSON, strings.NewReader(`{"topic":"deep","data":`+deep(129)+`}`))
	if err != nil || status != 400 || !strings.Contains(string(answer), "nested deeper than 128 levels") {
		t.Errorf("the admin API: %d, %s, %v", status, answer, err)
	}
	w.check(t)

	for _, want := range []string{`,"data":` + deep(128) + `}`, `,"text":"` + deep(129) + `"}`} {
		op, text, err := reader.next()
		if err != nil || op != opText || !strings.HasSuffix(string(text), want) {
			t.Errorf("got opcode %#x, %s, %v; want %s", op, text, err, want)
		}
		if strings.Contains(want, "data") {
			r.dial("/raw/deep").send(deep(129))
		}
	}
}
