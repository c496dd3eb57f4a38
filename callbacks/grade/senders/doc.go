// Package senders grades a sender of callbacks by its behaviour. It has the sender do work that calls back to inboxes
// of its own, which misbehave each in their way, and judges what comes: how often, when, with what id, time, signature
// and body, and whether it ever comes at all.
//
// Each inbox has a port of its own, so that a sender that holds back from a bad host (circuit breaker) harms no other
// rule; and each task has a path of its own, by which its callbacks are told from others'. The end of a task is known
// by what its last callback says at an inbox that accepts everything: type, event and status.
package senders
