package db

import (
	"sync"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"
)

// TestExpensiveReads (security 7) has queries run that would take for ever: they end, and others are
// not kept waiting by them.
func TestExpensiveReads(t *testing.T) {
	t.Parallel() // it takes the five seconds that such a read may
	s := newStore(t)
	const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
	var reads sync.WaitGroup
	var atOnce atomic.Int32
	running, ended := make(chan struct{}, 10), make(chan error, 10)
	for range cap(ended) {
		reads.Go(func() {
			ended <- s.LimitedRead(within(t), func(db *gorm.DB) error {
				if n := atOnce.Add(1); n > maxExpensive {
					t.Errorf("%d run at once", n)
				}
				defer atOnce.Add(-1)
				running <- struct{}{}
				return db.Raw(endless).Scan(new(int64)).Error
			})
		})
	}
	for range maxExpensive {
		<-running
	}
	for len(ended) == 0 { // as long as they run
		if err := s.Ping(within(t)); err != nil {
			t.Error(err)
		}
		if err := s.Read(within(t)).Limit(1).Find(&[]Product{}).Error; err != nil {
			t.Error(err)
		}
	}
	reads.Wait()
	for range cap(ended) {
		if err := <-ended; code(err) != CodeOverloaded {
			t.Errorf("got %v", err)
		}
	}
	for range 2 * maxExpensive { // a panic gives its place back
		func() {
			defer func() { _ = recover() }()
			_ = s.LimitedRead(within(t), func(*gorm.DB) error { panic("a bug") })
		}()
	}
	if err := s.LimitedRead(within(t), func(db *gorm.DB) error { return db.Find(&[]Product{}).Error }); err != nil {
		t.Error(err)
	}
}
