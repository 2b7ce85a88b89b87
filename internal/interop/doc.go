// Package interop holds tests that drive a real server, in a process of its own, with the
// clients that people use: Python's websocket-client and websockets, npm's ws, a
// browser, curl, this repository's commands, and every program of docs/examples.
//
// install.sh installs them; the tests run with
//
//	go test -tags interop ./internal/interop/
//
// and fail, rather than skip, where something is missing.
package interop
