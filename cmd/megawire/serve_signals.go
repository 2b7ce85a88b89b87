package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// sameRequestWithin is how long after the first signal to stop others are taken for
// the same request: timeout(1) and shells send one to the process and one to its group.
const sameRequestWithin = time.Second

// stopOnSignal ends the context at the first SIGTERM or SIGINT and the process
// at the second: somebody who asks twice does not want to wait for the drain.
func stopOnSignal(log *slog.Logger) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	go func() {
		var stop stopping
		for s := range signals {
			switch stop.on(s, time.Now()) {
			case nothingToReload:
				log.Warn("ignored: there is no reload yet, a new configuration needs a restart", "signal", s.String())
			case drain:
				log.Info("stopping; another signal ends it at once", "signal", s.String())
				cancel()
			case sameRequest:
				log.Debug("taken for the same request to stop", "signal", s.String())
			case endNow:
				log.Warn("ended by a second signal, clients were not told", "signal", s.String())
				os.Exit(exitFailed)
			}
		}
	}()
	return ctx, cancel
}

// stopping judges signals in the order in which they come.
type stopping struct {
	asked time.Time // when the first one to stop came; zero before
}

// verdict is what a signal asks for.
type verdict uint8

const (
	nothingToReload verdict = iota
	drain
	sameRequest
	endNow
)

func (st *stopping) on(s os.Signal, now time.Time) verdict {
	switch {
	case s == syscall.SIGHUP:
		return nothingToReload
	case st.asked.IsZero():
		st.asked = now
		return drain
	case now.Sub(st.asked) < sameRequestWithin:
		return sameRequest
	default:
		return endNow
	}
}
