// Package pubsub holds topics, their recent messages, and who is subscribed to them.
//
// It knows neither sockets nor wire formats: encoders turn a message into bytes, a sink takes the
// bytes of one subscriber. It has no goroutine and no clock of its own; its clocks are handed in.
//
// # Threads
//
// A Hub and its topics may be used from any goroutine. Publishing takes the lock of one topic,
// appends to that topic's ring and marks the topic dirty in every shard with interest in it; it never
// walks subscribers. A Shard belongs to one event loop: all its methods, other than the marking by
// publishers, run there and take no lock per subscriber.
//
// # The way of a message
//
// The ring is the only queue. When its loop gives a shard a turn, the shard takes each dirty topic's
// ring from its cursor to the head as a batch, encoded once for each kind of encoding, and notes the
// batch on each subscriber (part one of a turn). Then each subscriber with notes gets one write of
// all of them, across topics (part two). Both parts are cut into slices, so that reads go on between
// them; what is published meanwhile joins the notes of those still waiting.
//
// The first kind is encoded by the publisher, the others when a loop first wants them; what is encoded is kept beside
// the ring for all. Of a topic that somebody reads in a kind that takes long to encode (Options.Slow) a turn takes no more
// than a millisecond's worth; the rest stays in flight, and holds publishers up as anything in flight does.
//
// # Slow readers
//
// A subscriber whose write the kernel did not take whole holds no copies: the rest of the frame that
// was under way stays a reference into shared bytes, and a lag record says which of its topics have
// news, and from which position. When it drains it is served from the rings, and told of the gap
// where a ring no longer holds what it missed.
//
// # Patterns, snapshots, intervals
//
// Those who get a topic's messages in the same way stand on one roll: there is one of the very topic, one of each
// pattern, and one more of either for each interval. A walk goes over the rolls of its topic; so a pattern costs
// what it delivers, and nothing where nobody has one. A topic learns of a pattern with its next message. Of several
// subscriptions of one subscriber that match, one decides (pattern.go).
//
// What a subscription begins with is a mark, as a lagging subscriber has them, that ends at the shard's cursor; so it
// meets the live stream exactly, and shares its bytes (snapshot.go).
//
// An interval is a topic's, for all who have it: what comes while it lasts waits for its end, and the newest goes out
// to all (every.go). Who was served from the rings meanwhile goes by an interval of its own for once (aside.go).
//
// # Lives of a name
//
// A topic that nobody has by its very name may go away while subscribers of patterns are still owed something of it. When its
// name comes back that is another topic, with a local of its own. A shard loses the earlier one, and has said who is owed
// what of it, before it takes anything of the next (local.go); what is owed of the earlier goes first, or not at all.
//
// # Positions and sequence numbers
//
// A position counts the messages of a topic in this process, densely from 0; rings and cursors are
// in positions. A sequence number is what clients see; the Broker gives it.
package pubsub
