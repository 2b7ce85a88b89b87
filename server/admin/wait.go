package admin

import (
	"context"
	"sync"
	"time"
)

// roomWait is the context of one wait for room. Its time begins when somebody first asks when it ends, so that a publication that
// finds room at once, as nearly all do, costs no timer. It may be used for many publications one after another until end says
// that its time has begun.
type roomWait struct {
	context.Context // the request's

	limit time.Duration

	mu     sync.Mutex
	timed  context.Context
	cancel context.CancelFunc
}

func newRoomWait(parent context.Context, limit time.Duration) *roomWait {
	return &roomWait{Context: parent, limit: limit}
}

func (w *roomWait) begin() context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timed == nil {
		w.timed, w.cancel = context.WithTimeout(w.Context, w.limit)
	}
	return w.timed
}

func (w *roomWait) Done() <-chan struct{}       { return w.begin().Done() }
func (w *roomWait) Deadline() (time.Time, bool) { return w.begin().Deadline() }

func (w *roomWait) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timed != nil {
		return w.timed.Err()
	}
	return w.Context.Err()
}

// end releases the timer and tells whether there was one: then the value is used up.
func (w *roomWait) end() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timed == nil {
		return false
	}
	w.cancel()
	return true
}
