package services

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"petstore/callbacks"
	"petstore/models"
	"petstore/services/report"
)

const kindReport = "report"

// Codes of reports that fail.
const (
	CodeInvalidDataset = "INVALID_DATASET"  // the data cannot be read
	CodeReportTooLarge = "REPORT_TOO_LARGE" // it would take too long
)

const (
	// reportsAtOnce is how many reports are made side by side; others wait for
	// their turn. Each holds one of the few connections that read.
	reportsAtOnce = 2
	// reportPatience is how long one may take. While it reads, SQLite's log of
	// writes grows, see models.Store.Snapshot.
	reportPatience = 5 * time.Minute
)

const (
	reportBatch   = 500 // items in a batch, at least
	reportBatches = 100 // batches, at the most: nobody wants to be called ten thousand times
)

// Reporting is the operation that makes reports.
type Reporting struct {
	store *models.Store
	turns chan struct{}
}

// NewReporting returns the operation for reports.
func NewReporting(store *models.Store) Operation {
	r := &Reporting{store: store, turns: make(chan struct{}, reportsAtOnce)}
	return Operation{
		Kind:  kindReport,
		SetID: func(u *callbacks.Update, id string) { u.ReportID = id },
		Run:   r.run,
	}
}

// reported is the result of a report.
type reported struct {
	Summary  string `json:"summary"`
	Download string `json:"download"` // the path, below the server's URL
}

func (r *Reporting) run(ctx context.Context, task *models.Task, tell Report) (any, error) {
	content, err := models.ReportContent(r.store.Read(ctx), task.ResourceID)
	if err != nil {
		return nil, err
	}
	if content != nil { // made by a run that was interrupted after this
		document, err := report.Decode(content)
		return result(document), err
	}
	document, err := r.inTurn(ctx, task.ResourceID, tell)
	if err != nil {
		return nil, err
	}
	if content, err = document.Encode(); err != nil {
		return nil, err
	}
	err = tell(99, "Writing the report", func(tx *models.Tx) error {
		return models.SaveReportContent(tx, task.ResourceID, content)
	})
	return result(document), err
}

func result(d report.Document) reported {
	return reported{Summary: d.Summary, Download: "/api/reports/" + d.ReportID + "/download"}
}

// inTurn makes a report when there is a place for it.
func (r *Reporting) inTurn(ctx context.Context, id string, tell Report) (report.Document, error) {
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-ctx.Done():
		return report.Document{}, ctx.Err()
	}
	limited, cancel := context.WithTimeout(ctx, reportPatience)
	defer cancel()
	document, err := r.make(limited, id, tell)
	if err != nil && ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
		return document, &Failure{Code: CodeReportTooLarge, Message: fmt.Sprintf(
			"The report was not finished after %.0f minutes: ask for a shorter period", reportPatience.Minutes())}
	}
	return document, err
}

// make makes a report, all from one snapshot of the database.
func (r *Reporting) make(ctx context.Context, id string, tell Report) (report.Document, error) {
	row, err := models.FindReport(r.store.Read(ctx), id)
	if err != nil {
		return report.Document{}, err
	}
	d := report.Document{ReportID: id, Type: row.Type, From: row.FromDay, To: row.ToDay, AsOf: models.Now()}
	if row.Type == models.ReportDataset {
		err = r.profileDataset(ctx, &d, tell)
		return d, err
	}
	err = r.store.Snapshot(ctx, func(db *gorm.DB) error {
		switch row.Type {
		case models.ReportSales:
			return makeSales(db, &d, tell)
		case models.ReportInventory:
			return makeInventory(db, &d, tell)
		case models.ReportCallbacks:
			return makeCallbacks(db, &d, tell)
		}
		return fmt.Errorf("report %s is of the unknown type %q", id, row.Type)
	})
	return d, err
}

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
func eachSpan(db *gorm.DB, rows models.Rows, p models.Period, tell Report, fn func(models.Span) error) error {
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
	report       Report
}

func newSteps(total int64, tell Report) steps {
	return steps{total: total, batch: max(reportBatch, (total+reportBatches-1)/reportBatches), report: tell}
}

// tell says which items come next.
func (s steps) tell(done int64) error {
	return s.report(int(100*done/s.total), fmt.Sprintf("Processing items %d-%d", done, min(done+s.batch, s.total)))
}
