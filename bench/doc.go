// Package bench compares servers: it starts them one at a time, has the load generator drive each through the same
// workloads, keeps what that said as it was, and makes tables and plots of it.
//
// # Flow
//
//	servers × workloads × rounds ─▶ process (pinned) + loadgen --json (pinned) ─▶ runs.jsonl, host.json ─▶ report
//
// Everything that is printed or drawn is read from those two files, so that a report can be made again and checked.
//
// # What is compared
//
// A figure means little by itself on a machine that others share. Servers therefore take turns at each workload, for
// several rounds, each time as a fresh process; figures are medians over the rounds, and ratios are taken within a
// round before their median is. Results may be added to in a later sitting: its rounds are counted on.
package bench
