// Package client is the Go client of Megawire's multiplexed protocol
// (megawire.v1): it subscribes, publishes, keeps one WebSocket connection
// alive by reconnecting, and goes on where it was.
//
// # Reading
//
// Everything the server says arrives through Next, in the server's order:
// messages, gaps, changes of the connection's state. The events that wait to be
// read are bounded in number and in bytes. An application that does not call Next
// makes the client stop reading its socket, so that TCP holds the server back; the
// server then decides, by its own rules for slow readers, what this client is to
// miss, and says so in a gap. Nothing is left out silently, and nothing grows.
//
// The answers to Subscribe, Unsubscribe and Publish travel in the same stream. A
// program that has subscribed to anything therefore calls Next in a goroutine of
// its own: with nobody calling Next, a full queue also holds back the answer
// that a request waits for, until its context ends.
//
// # Every message once, or a gap
//
// After a lost connection each subscription goes on from its newest message: what was
// published meanwhile comes first, and what comes twice is dropped. A message is handed on
// once, and the messages of a topic in their order. What the server does not have any more,
// what it says is missing, and every number that was skipped arrive as an event of
// kind Gap, in their place in the order. Where the server itself has begun anew (another
// epoch) nobody knows how much is missing: the gap says From and To 0, and the newest
// message of each topic comes behind it. Subscriptions that may pass messages over
// (ModeLatest, Every, or the topic's rule) go on in the same way; numbers
// that they skip are no gaps.
//
// Counting starts at the first message of a topic that is seen. Of a pattern the client
// remembers the topics that it has seen, with TopicsTrackedMax as their bound, and names
// them when it goes on. Of those that it has not seen it asks for what was published since
// it subscribed; since it subscribed with Last, for all that is kept. Where a pattern has more
// topics than fit into a request, those that were heard of last are named; of the others
// it asks for what was published up to two seconds before its newest message, and
// what it misses of them by that is told with their next message. Of a topic that was made
// and went away again at the server while there was no connection, nothing is known.
//
// A subscription that the server has no time to renew (unavailable, rate_limited) is kept, with its
// place, and asked for again after pauses that grow, no sooner than the server says. Requests go on
// meanwhile; a Subscribe to what has topics in common with it waits. A request of the application's that
// is refused so is its own to repeat: ServerError.RetryAfter says when.
//
// Position tells the place that the application has come to, for going on from there in another
// process: Sub.Since. What it took from Next and did not finish with is its own to remember.
//
// # Goroutines
//
// A connection has three: one reads and does all bookkeeping, one writes, one
// watches for a dead peer. Methods may be called from any goroutine. Close ends
// them all and waits for them.
package client
