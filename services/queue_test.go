package services

import (
	"testing"
)

func TestStopWithoutStart(t *testing.T) {
	e := newEngine(t, options{idle: true})
	e.drain()
	e.drain()
}
