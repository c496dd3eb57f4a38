package receivers

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"petstore/callbacks"
)

// hugeBody is what no callback needs, in bytes.
const hugeBody = 64 << 20

// checkHuge offers a huge body, unsigned: with its length, and without. A receiver may answer at once, or cut it off.
func checkHuge(ctx context.Context, g *grader) error {
	m := unsigned(g.tell(g.order().completed()))
	for _, c := range []struct {
		what   string
		length int64
	}{{"64 MiB, announced", hugeBody}, {"64 MiB, in chunks", -1}} {
		var body zeros
		a := g.note(m.as(c.what), func() answer {
			body.left.Store(hugeBody)
			return g.inTime(ctx, m, &body, c.length)
		})
		if a.accepted() {
			return brokenBecause("%s: answered %s", c.what, a)
		}
		if body.left.Load() == 0 {
			return brokenBecause("%s: read to the end, and then answered %s", c.what, a)
		}
	}
	return nil
}

// zeros is a body of so many bytes.
type zeros struct{ left atomic.Int64 }

func (z *zeros) Read(p []byte) (int, error) {
	n := min(int64(len(p)), z.left.Load())
	if n == 0 {
		return 0, io.EOF
	}
	clear(p[:n])
	z.left.Add(-n)
	return int(n), nil
}

const slowUploads = 50

// checkSlowUploads begins uploads that don't go on, and then sends callbacks beside them.
func checkSlowUploads(ctx context.Context, g *grader) error {
	slow, stop := context.WithCancel(ctx)
	var begun, ended sync.WaitGroup
	defer ended.Wait()
	defer stop()
	m := g.tell(g.order().completed()).as(fmt.Sprintf("%d uploads that stand still", slowUploads))
	begun.Add(slowUploads)
	for range slowUploads {
		ended.Go(func() {
			body := &stalled{left: m.body[:len(m.body)/2], begun: sync.OnceFunc(begun.Done), done: slow.Done()}
			defer body.begun()
			g.exchange(slow, m, body, int64(len(m.body)))
		})
	}
	begun.Wait()
	for range 5 {
		a := g.send(ctx, g.tell(g.order().completed()))
		if !a.accepted() {
			return brokenBecause("another callback was answered %s after %.1f s", a, a.took.Seconds())
		}
	}
	return nil
}

// stalled is the beginning of a body. Its rest doesn't come.
type stalled struct {
	left  []byte
	begun func() // called when the beginning is on its way
	done  <-chan struct{}
}

func (s *stalled) Read(p []byte) (int, error) {
	if len(s.left) > 0 {
		n := copy(p, s.left)
		s.left = s.left[n:]
		return n, nil
	}
	s.begun()
	<-s.done
	return 0, io.ErrUnexpectedEOF
}

const (
	burstSize  = 200
	burstWidth = 32
)

func checkBurst(ctx context.Context, g *grader) error {
	updates, messages := make([]callbacks.Update, burstSize), make([]message, burstSize)
	for i := range messages {
		updates[i] = g.order().completed()
		messages[i] = g.tell(updates[i])
	}
	answers := g.together(ctx, messages, burstWidth)
	for i, a := range answers {
		if !a.accepted() {
			return brokenBecause("callback %d was answered %s after %.1f s%s", i+1, a, a.took.Seconds(), excerpt(a))
		}
	}
	if g.options.Effects == "" {
		return nil
	}
	for _, u := range []callbacks.Update{updates[0], updates[burstSize/2], updates[burstSize-1]} {
		if seen, err := g.effects(ctx, u); err != nil || seen.count == 0 {
			return brokenBecause("the work of %s was not done (%d times, %v)", u.OrderID, seen.count, err)
		}
	}
	return nil
}
