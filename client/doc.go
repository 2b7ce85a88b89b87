// Package client is the Go client of Megawire's multiplexed protocol
// (megawire.v1): it subscribes, publishes, and keeps one WebSocket connection
// alive by reconnecting and subscribing again.
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
// # Missing messages
//
// Sequence numbers are checked for every topic. What the server says is missing, a
// number that was skipped, and whatever was published while there was no connection
// all arrive as an event of kind Gap, in their place in the order. Counting starts
// at the first message of a topic that is seen.
//
// # Goroutines
//
// A connection has three: one reads and does all bookkeeping, one writes, one
// watches for a dead peer. Methods may be called from any goroutine. Close ends
// them all and waits for them.
package client
