package services

import (
	"sync"
	"time"

	"github.com/riverqueue/river/rivertype"
)

const (
	// readySize is how many jobs of a queue may wait in memory.
	readySize = 1024
	// lookInterval is how often River looks into the table for jobs that are due
	// again, while those that are new come by way of ready.
	lookInterval = fetchPollInterval * 3 / 4
)

// ready holds jobs that this process has stored as running already, until River
// fetches them a moment later: what a job costs is then one row that is written
// and deleted, without a search for it and a commit of its own in between. Should
// the process die, the next one takes them up like all that were running.
//
// Jobs are worked on in the order of their coming: as long as older ones wait in
// the table, new ones go there, too.
type ready struct {
	mu     sync.Mutex
	open   bool // somebody fetches
	queues map[string]*readyQueue
}

type readyQueue struct {
	jobs   []*rivertype.JobRow
	behind bool      // jobs wait in the table
	left   int       // how often new ones were left there
	looked time.Time // into the table
}

func newReady() *ready { return &ready{queues: map[string]*readyQueue{}} }

// begin says that jobs are fetched from now on. Older ones may be in the table. The
// writer calls it where it makes those available that were running: so none of them
// can come here after that.
func (r *ready) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = true
	clear(r.queues)
}

// end says that they no longer are. Those that wait are left to the next start.
func (r *ready) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = false
	clear(r.queues)
}

func (r *ready) queue(name string) *readyQueue {
	q, known := r.queues[name]
	if !known {
		q = &readyQueue{behind: true}
		r.queues[name] = q
	}
	return q
}

// welcomes reports whether a job that is about to be stored can wait here.
func (r *ready) welcomes(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queue(name)
	q.behind = q.behind || len(q.jobs) >= readySize
	return r.open && !q.behind
}

// leave says that a new job is stored that waits in the table.
func (r *ready) leave(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queue(name)
	q.behind = true
	q.left++
}

// put adds jobs that are stored. If nobody fetches any more, they are left to the
// next start.
func (r *ready) put(jobs []*rivertype.JobRow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open {
		return
	}
	for _, job := range jobs {
		q := r.queue(job.Queue)
		q.jobs = append(q.jobs, job)
	}
}

// take returns up to limit jobs, and whether to look into the table for more. Now
// and then a place is left for those in the table, however many wait here.
func (r *ready) take(name string, limit int) (jobs []*rivertype.JobRow, look bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queue(name)
	late := time.Since(q.looked) > lookInterval
	n := min(limit, len(q.jobs))
	if late && n == limit {
		n--
	}
	jobs, q.jobs = q.jobs[:n:n], q.jobs[n:]
	if len(q.jobs) == 0 {
		q.jobs = nil
	}
	return jobs, n < limit && (q.behind || late)
}

// look is called before a look into the table, and what it returns after it: with
// whether jobs are left there.
func (r *ready) look(name string) (looked func(left bool)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queue(name)
	before := q.left
	return func(left bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		q.behind, q.looked = left || q.left > before, time.Now()
	}
}
