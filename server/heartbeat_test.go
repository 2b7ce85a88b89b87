package server

import (
	"encoding/json"
	"math"
	"testing"
)

func TestHeartbeatJSON(t *testing.T) {
	for _, row := range []struct {
		n    uint64
		time int64
		want string
	}{
		{1, 1763632800123, `{"n":1,"time":1763632800123}`},
		{math.MaxUint64, math.MaxInt64, `{"n":18446744073709551615,"time":9223372036854775807}`},
	} {
		if got := appendHeartbeat(nil, row.n, row.time); string(got) != row.want || !json.Valid(got) {
			t.Errorf("got %s, want %s", got, row.want)
		}
	}
}
