// Package protocol is what a client's messages mean: it joins the frames of codec to the topics of
// pubsub. Each protocol is a package of its own with the same files: session.go, what a client asks for
// (native has subscriptions in a file of their own), and encode.go, what it is sent.
//
// Threads: a Protocol value belongs to one event loop and serves all of that loop's connections, so it
// may keep scratch space; it keeps nothing of a connection, whose state is in its Peer.
package protocol
