// Package server joins the parts to one push server: loops and sockets (poller), frames (codec), what
// clients mean (protocol), topics (pubsub), and the admin listener.
//
// Threads: each event loop has a worker with its shard of subscribers, its protocols and its scratch
// space; a connection's whole life is on its worker. The admin listener has goroutines of net/http,
// which publish through the hub and read snapshots, and reach connections by functions posted to loops.
// Few goroutines stand beside them, each with one ticker: for topics that nobody uses, memory, the heartbeat
// and presence. A worker has one timer, which runs only while a subscriber's interval waits (alarm.go).
//
// Flow: poller hands a connection's bytes to worker.Data. The first of them are an upgrade request
// (upgrade.go), the others frames, whose messages go to the connection's protocol (conn.go). A protocol
// acts through its peer (peer.go). What is published marks topics dirty in the shards; the loop then
// gives the shard turns, and the shard writes through the worker, which is its sink (sink.go).
package server
