//go:build race

package main

// raceEnabled tells tests that the race detector slows everything down about
// tenfold: they do fewer rounds of the same.
const raceEnabled = true
