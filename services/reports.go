package services

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"petstore/callbacks"
	"petstore/models"
	"petstore/models/db"
	"petstore/services/dataset"
	"petstore/services/report"
	"petstore/services/statistics"
	"petstore/services/task"
)

// Codes of reports that fail.
const (
	CodeInvalidDataset = "INVALID_DATASET"  // the data cannot be read
	CodeReportTooLarge = "REPORT_TOO_LARGE" // it would take too long
)

const (
	// reportConcurrency is how many reports are made side by side; others wait for
	// their turn. Each holds one of the few connections that read.
	reportConcurrency = 2
	// reportTimeout is how long one may take. While it reads, SQLite's log of
	// writes grows, see models.Store.Snapshot.
	reportTimeout = 5 * time.Minute
)

// Reports takes requests for reports and hands out what they say.
// Reporting makes them.
type Reports struct {
	store *models.Store
	tasks *task.Engine
}

// NewReports returns the reports that store holds, made by tasks.
func NewReports(store *models.Store, tasks *task.Engine) *Reports {
	return &Reports{store: store, tasks: tasks}
}

// Create stores a report, its task and its first update in one transaction. r says what it is
// about, and r.Task whom to tell.
func (s *Reports) Create(ctx context.Context, r models.Report) (models.Report, error) {
	r.ID, r.CreatedAt = models.NewID(callbacks.KindReport.Prefix), models.Now()
	r.UpdatedAt = r.CreatedAt
	r.Task.Kind, r.Task.ResourceID, r.Task.Message = callbacks.KindReport.Name, r.ID, "Report requested"
	err := s.tasks.Create(ctx, r.Task, func(tx *models.Tx, t models.Task) error {
		r.Task, r.TaskID = t, t.ID
		return models.Create(tx, &r)
	})
	return r, err
}

// Get finds a report.
func (s *Reports) Get(ctx context.Context, id string) (models.Report, error) {
	return models.FindReport(s.store.Read(ctx), id)
}

// List lists reports, newest first.
func (s *Reports) List(ctx context.Context, f models.ReportFilter, page models.Page) (models.List[models.Report], error) {
	return list(ctx, s.store, models.ListReports, f, page)
}

// Delete removes a report. One that is processing is cancelled, and its last
// update says so.
func (s *Reports) Delete(ctx context.Context, id string) error {
	r, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	if !r.Task.Ended() {
		_, err := s.tasks.Cancel(ctx, r.TaskID)
		if err != nil && models.Code(err) != models.CodeConflict { // ended meanwhile
			return err
		}
	}
	return s.store.InTx(ctx, func(tx *models.Tx) error { return models.Delete[models.Report](tx, id) })
}

// Download writes what a completed report says in a format: json, csv, xlsx or
// html. What it says is stored once, some hundred kilobytes of sums in the
// report's row: it commits with the task's progress and goes when the row goes,
// which files beside the database would not.
func (s *Reports) Download(ctx context.Context, id, format string) ([]byte, error) {
	db := s.store.Read(ctx)
	r, err := models.FindReport(db, id)
	if err != nil {
		return nil, err
	}
	if r.Task.Status != models.StatusCompleted {
		return nil, models.Conflict("The report is %s; only a report that is completed can be downloaded.", r.Task.Status)
	}
	content, err := models.ReportContent(db, id)
	if err != nil {
		return nil, err
	}
	document, err := report.Decode(content)
	if err != nil {
		return nil, err
	}
	return document.Write(format)
}

// Reporting is the operation that makes reports.
type Reporting struct {
	store *models.Store
}

// NewReporting returns the operation for reports.
func NewReporting(store *models.Store) task.Operation {
	r := &Reporting{store: store}
	return task.Operation{
		Kind: callbacks.KindReport.Name, Concurrency: reportConcurrency,
		Run: r.run,
	}
}

// reported is the result of a report.
type reported struct {
	Summary  string `json:"summary"`
	Download string `json:"download"` // the path, below the server's URL
}

func (r *Reporting) run(ctx context.Context, t *models.Task, tell task.Progress) (any, error) {
	content, err := models.ReportContent(r.store.Read(ctx), t.ResourceID)
	if err != nil {
		return nil, err
	}
	if content != nil { // made by a run that was interrupted after this
		document, err := report.Decode(content)
		return result(document), err
	}
	if err := task.GuardCrash(ctx); err != nil {
		return nil, err
	}
	document, err := r.inTime(ctx, t.ResourceID, tell)
	if err != nil {
		return nil, err
	}
	if content, err = document.Encode(); err != nil {
		return nil, err
	}
	err = tell(99, "Writing the report", func(tx *models.Tx) error {
		return models.SaveReportContent(tx, t.ResourceID, content)
	})
	return result(document), err
}

func result(d report.Document) reported {
	return reported{Summary: d.Summary, Download: "/api/reports/" + d.ReportID + "/download"}
}

// inTime makes a report, or gives up.
func (r *Reporting) inTime(ctx context.Context, id string, tell task.Progress) (report.Document, error) {
	limited, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	document, err := r.make(limited, id, tell)
	if err != nil && ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
		return document, &callbacks.Error{Code: CodeReportTooLarge, Message: fmt.Sprintf(
			"The report was not finished after %.0f minutes: ask for a shorter period", reportTimeout.Minutes())}
	}
	return document, err
}

// make makes a report, all from one snapshot of the database; unless so much is
// written meanwhile that the snapshot has to end: then from what is stored when it is
// read.
func (r *Reporting) make(ctx context.Context, id string, tell task.Progress) (report.Document, error) {
	row, err := models.FindReport(r.store.Read(ctx), id)
	if err != nil {
		return report.Document{}, err
	}
	d := report.Document{ReportID: id, Type: row.Type, From: row.FromDay, To: row.ToDay, AsOf: models.Now()}
	step := func(progress int, message string) error { return tell(progress, message) }
	if row.Type == models.ReportDataset {
		err = r.profile(ctx, &d, step)
		return d, err
	}
	empty := d
	err = r.store.Snapshot(ctx, func(db *gorm.DB) error { return describe(db, &d, step) })
	if errors.Is(err, db.ErrSnapshotEnded) && ctx.Err() == nil {
		d = empty
		err = describe(r.store.Read(ctx), &d, step)
	}
	return d, err
}

func describe(db *gorm.DB, d *report.Document, step statistics.Step) error {
	switch d.Type {
	case models.ReportSales:
		return statistics.Sales(db, d, step)
	case models.ReportInventory:
		return statistics.Inventory(db, d, step)
	case models.ReportCallbacks:
		return statistics.Callbacks(db, d, step)
	}
	return fmt.Errorf("report %s is of the unknown type %q", d.ReportID, d.Type)
}

// profile says what is in the data that the client gave, or what is wrong with it.
func (r *Reporting) profile(ctx context.Context, d *report.Document, step statistics.Step) error {
	data, err := models.ReportData(r.store.Read(ctx), d.ReportID)
	if err != nil {
		return err
	}
	err = statistics.Dataset(ctx, data, d, step)
	if wrong, ok := errors.AsType[*dataset.MalformedError](err); ok {
		return &callbacks.Error{Code: CodeInvalidDataset, Message: wrong.Message}
	}
	return err
}
