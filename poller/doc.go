// Package poller puts TCP connections on event loops. It is the only importer of gnet.
//
// # Threads
//
// A Poller has a number of loops, each with its own listening sockets (SO_REUSEPORT), its own epoll
// set and its own connections: one gnet engine a loop. A Conn, and every call of the Handler but those
// said otherwise, belong to the loop's goroutine. Other goroutines reach a loop by Loop.Post and
// Loop.Wake alone; what is posted is bounded in number, and who posts is told.
//
// # Flow
//
// Bytes that arrive are handed to Handler.Data where they lie, in the loop's read buffer; what the
// handler does not use yet is kept for it in a pooled buffer, so an idle connection owns none. Loop.Wake
// asks for one call of Handler.Turn. A turn that reports more work gets its next call after the loop has
// read from its sockets: each loop is woken through an eventfd that is enrolled in it like any connection,
// so one wake-up is one slice of work.
//
// # Writing
//
// All that a connection sends goes through one function, a plain send(2) on the non-blocking descriptor.
// While the kernel does not take more the connection is stalled: it holds the rest of one frame and the
// replies that came since, both bounded, and the handler hears Drained when they are gone. gnet is given
// nothing to write: its buffer has no bound, its Write closes connections from within, and it does not
// tell when a socket is writable again. That is asked of an epoll set of our own, which holds the stalled
// sockets alone. A connection whose replies reach their bound is not read from until they are gone
// (Congested), by changing its entry in gnet's epoll set; nor is one, for a time, that the handler has called
// Rest for, or until others have had their turn (Yield). To all of these Data may leave whole requests unused, and is
// given them again afterwards.
//
// # When the host runs out of something
//
// A connection that cannot be accepted, for want of a descriptor or of memory, waits in the kernel's backlog; its loop
// tries again with each tick and serves the others. Bytes that the kernel has no memory for stall their connection until
// the next tick. A connection that gnet's epoll set has no room for (fs.epoll.max_user_watches) gnet closes, and tells
// nobody. Only a listener or an epoll set that is broken ends a loop, which Failed reports.
//
// # The end of a connection
//
// Close takes effect at the end of the event that is being handled, so that no list changes while it is
// walked; so does the end that the system makes. Then Handler.Closed is called and the slot is free for
// another. Nothing is written to a connection once its descriptor may belong to another file. A peer that
// ends its side of the stream has ended the connection: answers that the kernel has taken still reach it,
// what waits because the peer was not reading does not. gnet closes where it reads the end. Not to read from stalled
// connections would keep the end from it, but with it what a slow reader says: that it unsubscribes, or closes. One that
// lags all the time would hardly be heard. A WebSocket's peer says that it closes before it ends its side, and then
// waits for our answer.
package poller
