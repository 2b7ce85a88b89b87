package server

import (
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/pubsub"
)

// A worker is its shard's sink: owners are connections' handles.

// Write implements pubsub.Sink.
func (w *worker) Write(owner uint32, p []byte) int { return w.loop.At(owner).TryWrite(p) }

// Rest implements pubsub.Sink.
func (w *worker) Rest(owner uint32, rest []byte) { w.loop.At(owner).Hold(rest) }

// Overrun implements pubsub.Sink.
func (w *worker) Overrun(owner uint32) {
	w.close(w.loop.At(owner), ws.SlowReader, "too slow: too far behind what is published")
}

// Client implements pubsub.Sink.
func (w *worker) Client(owner uint32) pubsub.ClientID { return w.id(w.loop.At(owner)) }
