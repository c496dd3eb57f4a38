// Package receivers grades a receiver of callbacks: it sends what a receiver meets sooner or later, and judges the
// answers. Where the receiver also tells how often it did its work, that is judged, too.
//
// Each rule has orders of its own, and the rules run one after the other.
package receivers
