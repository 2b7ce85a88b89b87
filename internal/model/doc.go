// Package model is a plain account of what subscribers are promised, for tests to hold real servers against.
//
// A Log is told of every publication. A Client is told of one connection's history in the order of its stream:
// what it asked for and was answered, each message and each notice that came. It says what is wrong as soon as
// that is certain, and in the end (Settled) whether anything is still missing. It is dumb on purpose: every
// topic is the list of all its messages, every client a list of what it asked for; it shares no code with what
// it judges. Where the protocol leaves a choice it allows every outcome, and follows the one it sees.
//
// Nothing here may be used from several goroutines at once.
package model
