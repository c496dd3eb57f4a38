//go:build slow

package main

// slow has tests whose power is in how often they do it do so as often as that takes: .ci/run slow.
const slow = true
