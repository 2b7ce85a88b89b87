package server

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/megawire/megawire/pubsub"
)

func TestPresenceJSON(t *testing.T) {
	for _, row := range []struct {
		says         string
		joined, left []pubsub.ClientID
		count        int
		want         string
	}{
		{"one came", []pubsub.ClientID{35}, nil, 1, `{"join":[{"client":"z"}],"leave":[],"count":1}`},
		{"the last one went", nil, []pubsub.ClientID{36}, 0, `{"join":[],"leave":[{"client":"10"}],"count":0}`},
		{"some came and went", []pubsub.ClientID{1, 2}, []pubsub.ClientID{3, 4}, 70_000,
			`{"join":[{"client":"1"},{"client":"2"}],"leave":[{"client":"3"},{"client":"4"}],"count":70000}`},
		{"the longest id", []pubsub.ClientID{math.MaxUint64}, nil, 1, `{"join":[{"client":"3w5e11264sgsf"}],"leave":[],"count":1}`},
	} {
		got := encodePresence("chat", row.joined, row.left, row.count)
		if string(got) != row.want || !json.Valid(got) {
			t.Errorf("%s: got %s, want %s", row.says, got, row.want)
		}
	}
}
