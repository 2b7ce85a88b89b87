package pubsub_test

import (
	"testing"

	"github.com/megawire/megawire/pubsub"
	"github.com/megawire/megawire/pubsub/brokertest"
)

func TestInProcessBroker(t *testing.T) {
	brokertest.Run(t, func(t testing.TB, o pubsub.Options) *pubsub.Hub {
		hub, err := pubsub.New(o)
		if err != nil {
			t.Fatal(err)
		}
		return hub
	})
}
