// Package e2e tests the whole server as its users meet it: real sockets, real frames, the HTTP API. It
// has no code but tests.
//
// Most of them run a server in the test's own process (rig_test.go), so that the race detector and the
// leak check see it. What needs a process of its own (its memory, its limit on open files, its signals)
// runs the built command (process_test.go). The client is written out by hand (peer_test.go): it shares no
// code with the server, and can do what no client library would.
package e2e
