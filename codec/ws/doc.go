// Package ws speaks the WebSocket protocol (RFC 6455) over bytes that others read and write.
//
// It is pure: no sockets, goroutines, locks or clocks. Handshakes, frames and whole messages are values that are
// appended to a buffer or parsed out of one.
//
//	bytes read ─▶ http1.Parse ─▶ AppendUpgrade ─▶ bytes to write         once, at the start
//	bytes read ─▶ Endpoint.Next ─▶ Event (message, ping, pong, close, failure)
//	messages   ─▶ AppendFrame, or BeginFrame … FinishFrame ─▶ bytes to write
//
// Nothing here may be used by two goroutines at once. An Endpoint and the bytes given to it belong to one event loop;
// every Append function works on the caller's buffer alone and may be called from anywhere.
package ws
