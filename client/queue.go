package client

import (
	"context"
	"sync"
)

// queue holds the events between the goroutine that reads the socket, which waits in
// put while there is no room, and the application, which waits in next.
type queue struct {
	eventsMax int
	bytesMax  int

	taken *positions // how far the application has come

	mu    sync.Mutex
	items []Event // a ring, grown up to eventsMax
	head  int
	n     int
	bytes int
	end   error // set once; what next returns after the last event

	room chan struct{} // one token: there may be room
	news chan struct{} // one token: there may be an event, or the end
}

func newQueue(eventsMax, bytesMax int) *queue {
	return &queue{
		eventsMax: eventsMax,
		bytesMax:  bytesMax,
		taken:     newPositions(TopicsTrackedMax),
		room:      make(chan struct{}, 1),
		news:      make(chan struct{}, 1),
	}
}

// put appends e, waiting for room until stop is closed, and reports whether it did.
// One goroutine puts at a time.
func (q *queue) put(stop <-chan struct{}, e Event) bool {
	for !q.offer(e) {
		select {
		case <-q.room:
		case <-stop:
			return false
		}
	}
	return true
}

// offer appends e if there is room. A single event always fits, or one larger than
// the bound would wait for ever.
func (q *queue) offer(e Event) bool {
	size := e.bytes()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n > 0 && (q.n >= q.eventsMax || q.bytes+size > q.bytesMax) {
		return false
	}
	if q.n == len(q.items) {
		q.grow()
	}
	q.items[(q.head+q.n)%len(q.items)] = e
	q.n++
	q.bytes += size
	token(q.news)
	return true
}

func (q *queue) grow() {
	bigger := make([]Event, max(16, 2*len(q.items)))
	for i := range q.n {
		bigger[i] = q.items[(q.head+i)%len(q.items)]
	}
	q.items, q.head = bigger, 0
}

// finish makes err the end of the stream. Only the first call counts.
func (q *queue) finish(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end == nil {
		q.end = err
	}
	token(q.news)
}

// next returns the oldest event, waiting for one until ctx ends. After the last event
// it returns the stream's end, every time it is called.
func (q *queue) next(ctx context.Context) (Event, error) {
	for {
		e, ok, end := q.take()
		if ok {
			return e, nil
		}
		if end != nil {
			return Event{}, end
		}
		select {
		case <-q.news:
		case <-ctx.Done():
			return Event{}, ctx.Err()
		}
	}
}

func (q *queue) take() (e Event, ok bool, end error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n == 0 {
		if q.end != nil {
			token(q.news) // for whoever else waits
		}
		return Event{}, false, q.end
	}
	e = q.items[q.head]
	q.items[q.head] = Event{}
	q.head = (q.head + 1) % len(q.items)
	q.n--
	q.bytes -= e.bytes()
	q.taken.took(&e) // here, so that it is in order whoever calls
	token(q.room)
	if q.n > 0 {
		token(q.news)
	}
	return e, true, nil
}

func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}
