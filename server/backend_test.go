package server

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/megawire/megawire/pubsub"
	"github.com/megawire/megawire/server/admin"
)

func TestCheckExclude(t *testing.T) {
	for _, row := range []struct {
		says string
		id   string
		ok   bool
	}{
		{"the id of a client that may be there or not", formatClientID(pubsub.ClientID(1<<56 | 7<<32 | 42)), true},
		{"the highest", formatClientID(pubsub.ClientID(math.MaxUint64)), true},
		{"a name", "ann@example.org", false},
		{"nothing", "", false},
		{"capitals", "JPIABONCLQ9", false},
		{"a zero before it", "0jpiabonclq9", false},
		{"a sign", "-1", false},
		{"a space", "jpiabonclq9 ", false},
		{"more than 64 bits", "zzzzzzzzzzzzzz", false},
	} {
		err := checkExclude([]string{"a", row.id})
		if (err == nil) != row.ok {
			t.Errorf("%s: %v", row.says, err)
		}
		var f admin.Fault
		if err != nil && (!errors.As(err, &f) || f.Code != "bad_request" || !strings.Contains(f.Message, `"`+row.id+`"`)) {
			t.Errorf("%s: %v does not name it", row.says, err)
		}
	}
}
