package loadgen

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if blasting() {
		os.Exit(blast())
	}
	goleak.VerifyTestMain(m)
}
