// Package dispatch sends deliveries: each to its URL, signed, in order, again until
// it is accepted, and none at the cost of another.
//
//	Add       takes deliveries that are stored and due
//	Progress  takes news that are worthless once there are newer ones
//	queue     has what one task tells one target, in order
//	host      has the queues that are ready to be sent from, and its circuit breaker
//	load      fills queues from the table, which has all that is pending
//
// Waiting costs nothing. A delivery that waits is in its queue, and that among its host's: neither
// a goroutine nor a write. A place among the exchanges with a host is held for the
// exchange only, not while its outcome is stored. A host with many leaves the
// rest where it is, due in the table, and asks for it when it has room. A host that
// keeps failing is probed by one delivery at a time.
//
// Nothing in memory decides whether something is sent: the table does, and what is
// due there is found by an index (load) and, should that be missed, by a sweep.
package dispatch
