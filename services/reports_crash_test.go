package services

import (
	"context"
	"errors"
	"strings"
	"testing"

	"petstore/models"
	"petstore/services/task"
)

// TestReportThatKillsTheServer (reliability 11, another instance): a report in the midst of which the server is killed fails after
// the second time, and says so. That the server is stopped meanwhile, however often, counts for nothing.
func TestReportThatKillsTheServer(t *testing.T) {
	reached, over := make(chan struct{}), make(chan struct{})
	var halfway func() error // what happens in the midst of the report
	e := newEngine(t, options{idle: true, register: func(e *engine) {
		op := NewReporting(e.store)
		work := op.Run
		op.Run = func(ctx context.Context, row *models.Task, report task.Progress) (any, error) {
			return work(ctx, row, func(progress int, message string, also ...func(tx *models.Tx) error) error {
				err := report(progress, message, also...)
				if err == nil && strings.Contains(message, "1500-") {
					err = halfway()
				}
				return err
			})
		}
		e.tasks.Register(op)
	}})
	report, err := NewReports(e.store, e.tasks).Create(within(t), models.Report{Type: models.ReportDataset, Data: strings.Repeat("line\n", 3000)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{}, 2)
	kill := func() { // a run that never comes back, as far as the next one can tell
		halfway = func() error { reached <- struct{}{}; <-over; return errors.New("killed") }
		go func() {
			_, _ = e.tasks.Run(context.Background(), report.TaskID, nil)
			ended <- struct{}{}
		}()
		await(t, reached, "the midst of the report")
	}
	stop := func() {
		ctx, cancel := context.WithCancel(within(t))
		halfway = func() error { cancel(); return ctx.Err() }
		if _, err := e.tasks.Run(ctx, report.TaskID, nil); !errors.Is(err, context.Canceled) {
			t.Fatalf("a stop ends the run with %v", err)
		}
	}
	for range 5 {
		stop()
	}
	kill()
	stop()
	kill()
	halfway = func() error { t.Error("it is tried a third time"); return nil }
	if _, err := e.tasks.Run(within(t), report.TaskID, nil); err != nil {
		t.Fatal(err)
	}
	close(over)
	await(t, ended, "the end of what was killed")
	await(t, ended, "the end of what was killed")
	row := e.ended(report.TaskID)
	if row.Status != models.StatusFailed || row.ErrorMessage != "Failed to process report: the server was killed each time it tried" {
		t.Errorf("it ends as %+v", row)
	}
}
