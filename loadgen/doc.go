// Package loadgen puts load on a push server and says what came through: connections held, deliveries a second, latency from
// the instant a message was planned for, and every message lost, doubled or out of order.
//
// # Threads
//
// A fleet is one or more loops. A loop is one goroutine around an epoll of its own; the connections it opened, their
// buffers, their ledger and their counters belong to it and are touched by nothing else. The first loop also owns the
// publishing connection, so that with one loop a message is planned, sent, received and judged on one goroutine. Run is
// the coordinator: it talks to a loop by posting functions to it, and reads the few atomics of board while it runs.
//
// # Flow
//
//	plan ─▶ fleet ─▶ loop ─▶ conn (bytes) ─▶ driver (events) ─▶ ledger (seq) and tape (latency) ─▶ recorder ─▶ lines ─▶ report
//	                  ▲
//	pacer ─▶ publisher ┘
//
// The lines are the raw stream: what every interval brought, how the server stood, and at the end what the ledgers found.
// Report reads them, from a run under way or from a file, and text, JSON and HTML are made from it alone.
//
// A run has one workload: idle, fanout, ticker, slow, echo or connect. A search (Find) is runs of the ticker at one rate
// after another.
//
// A driver speaks one server's protocol: bytes in, events out. The loop reads into one shared buffer, keeps only the
// incomplete message at its end, and allocates nothing for a message received.
//
// # What is believed
//
// Latency is counted from the planned instant, which the message carries, not from when the generator got round to
// sending it. Whoever reads a result must be able to tell a slow server from a slow generator, so the share of time each
// loop was busy and how far sends slipped are part of every result. Servers that number no messages are held to numbers
// that the publisher puts into the payload (marker).
package loadgen
