// Package ws speaks the WebSocket protocol (RFC 6455) over bytes that others read and write.
//
// It is pure: no sockets, goroutines, locks or clocks. Handshakes, frames and whole messages are values that are
// appended to a buffer or parsed out of one.
//
//	bytes read ─▶ http1.Parse ─▶ AppendUpgrade ─▶ bytes to write         once, at the start
//	bytes read ─▶ Endpoint.Next ─▶ Event (message, ping, pong, close, failure)
//	messages   ─▶ AppendFrame, or BeginFrame … FinishFrame ─▶ bytes to write
//
// What a frame is and by which rules it is judged, gobwas/ws says: opcodes, close codes, headers, their check and that of
// close bodies. Ours is what each message passes through: it takes its input in parts, works in place and allocates
// nothing, where gobwas/ws reads from and writes to streams.
//
// Messages may be compressed (permessage-deflate, RFC 7692), none with regard to another: a Deflater makes frames that all
// connections share which have agreed on it, an Inflater undoes what comes from them, within bounds of size and ratio.
//
// Nothing here may be used by two goroutines at once, but a Deflater, which takes its writers from a pool. An Endpoint and the
// bytes given to it belong to one event loop, and so does the Inflater of its connections; every Append function works on
// the caller's buffer alone and may be called from anywhere.
package ws
