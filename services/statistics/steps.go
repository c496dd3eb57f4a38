// Package statistics counts what reports say: of orders, of the stock, of callbacks,
// and of data that a client gives. What it needs of memory is bounded, however much
// there is to count.
package statistics

import (
	"fmt"
	"time"

	"gorm.io/gorm"

	"petstore/models"
	"petstore/services/report"
)

// Step is told how far the counting has come: progress in percent (0 to 99), and a
// sentence. An error of it ends the counting.
type Step func(progress int, message string) error

const (
	minBatch   = 500 // items in a batch, at least
	maxBatches = 100 // batches, at the most: nobody wants to be called ten thousand times
)

// period is the time between two days, both included.
func period(d *report.Document) (models.Period, error) {
	var p models.Period
	var err error
	if d.From != "" {
		p.From, err = time.Parse(time.DateOnly, d.From)
	}
	if d.To != "" && err == nil {
		p.Until, err = time.Parse(time.DateOnly, d.To)
		p.Until = p.Until.AddDate(0, 0, 1)
	}
	if err != nil {
		return p, fmt.Errorf("reading the period of report %s: %w", d.ReportID, err)
	}
	return p, nil
}

// eachSpan goes through the rows of a period span by span, and tells how far it
// has come.
func eachSpan(db *gorm.DB, rows models.Rows, p models.Period, tell Step, fn func(models.Span) error) error {
	total, err := rows.Count(db, p)
	if err != nil {
		return err
	}
	steps := newSteps(total, tell)
	span := models.Span{}
	for done := int64(0); ; done += span.Count {
		span, err = rows.Next(db, p, span.Last, steps.batch)
		if err != nil || span.Count == 0 {
			return err
		}
		if err := steps.tell(done); err != nil {
			return err
		}
		if err := fn(span); err != nil {
			return err
		}
	}
}

// steps tells of progress in batches.
type steps struct {
	total, batch int64
	report       Step
}

func newSteps(total int64, tell Step) steps {
	return steps{total: total, batch: max(minBatch, (total+maxBatches-1)/maxBatches), report: tell}
}

// tell says which items come next.
func (s steps) tell(done int64) error {
	return s.report(int(100*done/s.total), fmt.Sprintf("Processing items %d-%d", done, min(done+s.batch, s.total)))
}
