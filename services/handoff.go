package services

import (
	"sync"

	"petstore/models"
)

// handoffSize is how many tasks may wait to be taken up.
const handoffSize = 1024

// handoff passes a task that was just stored, and what it works on, to the
// worker that takes it up, which mostly happens in the same process a moment
// later: two reads less for each task. What is not here is read from the
// database. What is here may be old by then: AdvanceTask notices.
type handoff struct {
	mu    sync.Mutex
	tasks map[string]models.Task
}

func newHandoff() *handoff { return &handoff{tasks: map[string]models.Task{}} }

func (h *handoff) put(task models.Task) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.tasks) >= handoffSize {
		clear(h.tasks) // taken up elsewhere, by another replica
	}
	h.tasks[task.ID] = task
}

func (h *handoff) take(id string) (models.Task, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	task, ok := h.tasks[id]
	delete(h.tasks, id)
	return task, ok
}
