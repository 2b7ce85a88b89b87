// Package million proves that one server process holds a million subscribed connections, pings them and sends a message to
// all of them; or any other number.
//
// # Two ways
//
// Where the host's limits allow it, server and load generator run on the host. Where they do not, most often because a
// hard limit on open files cannot be raised, the same two static programs run in a user-mode-linux guest: a Linux
// kernel that is an ordinary process, whose limits are ours to set. Its root is an archive in memory of three programs: Guest
// as init, megawire and loadgen.
//
//	Host ── limits suffice ─▶ Prove
//	  └──── else ─▶ initramfs, linux.uml ─▶ Guest: mounts, settings, lo ─▶ Prove ─▶ report on the console
//
// Prove does the same in both: it starts an unmodified "megawire serve" and "loadgen idle", watches the server's own metrics
// and /proc, publishes through the admin API, and reports. Nothing of the server's defaults is changed but its listeners.
package million
