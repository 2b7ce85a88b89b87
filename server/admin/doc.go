// Package admin is the HTTP side of a Megawire server: publishing, health, metrics, profiles and the page that shows the feed.
//
// It speaks net/http on a listener of its own, apart from the event loops, and knows the rest of the server only as a Backend.
//
// # Flow
//
//	request ─ guard (Host, Origin, headers) ─ route (path, method) ─┬─ publish: one, array ─┐
//	                                                                ├─ publish: stream ─────┼─▶ Backend.Publish
//	                                                                ├─ health, info ────────┴─▶ Backend.Ready, Info
//	                                                                ├─ topics, clients ───────▶ Backend.Topics, Clients, …
//	                                                                ├─ metrics ─ collector ───▶ Backend.Stats
//	                                                                └─ page, pprof
//
// # Threading
//
// Each request runs in net/http's goroutine. A publication that finds no room waits there, and a stream that waits reads
// nothing meanwhile: the sender feels it through TCP, and the memory of a stream is one line and one read buffer. Lists of topics and
// clients come in pages, and few are made at once, as they take from the event loops' time.
//
// # Who may call
//
// There is no login yet, so the listener is meant for the loopback or a private network. So that no web page can reach it through
// somebody's browser, a request must name a Host that cannot be a rebound name (an IP literal, localhost, or a listed one), may
// not carry a foreign Origin, and publishes only with a JSON content type, which a browser never sends across origins unasked.
package admin
