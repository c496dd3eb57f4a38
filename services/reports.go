package services

import (
	"context"

	"petstore/models"
	"petstore/services/report"
)

// Reports takes requests for reports and hands out what they say. How a report
// is made is in reporting.go.
type Reports struct {
	store *models.Store
	tasks *Tasks
}

// NewReports returns the reports that store holds, made by tasks.
func NewReports(store *models.Store, tasks *Tasks) *Reports {
	return &Reports{store: store, tasks: tasks}
}

// Create stores a report, its task, its first update and its job, in one
// transaction.
func (s *Reports) Create(ctx context.Context, n models.NewReport) (models.Report, error) {
	r := models.Report{
		ID: models.NewID(models.PrefixReport), Type: n.Type, FromDay: n.FromDay, ToDay: n.ToDay, Data: n.Data, CreatedAt: models.Now(),
	}
	r.UpdatedAt = r.CreatedAt
	err := s.store.InTx(ctx, func(tx *models.Tx) (err error) {
		r.Task, err = s.tasks.Begin(tx, kindReport, Request{
			ResourceID: r.ID, CallbackURL: n.CallbackURL, Metadata: n.Metadata, Message: "Report requested",
		})
		if err != nil {
			return err
		}
		r.TaskID = r.Task.ID
		return models.CreateReport(tx, &r)
	})
	return r, err
}

// Get finds a report.
func (s *Reports) Get(ctx context.Context, id string) (models.Report, error) {
	return models.FindReport(s.store.Read(ctx), id)
}

// List lists reports, newest first.
func (s *Reports) List(ctx context.Context, f models.ReportFilter, page models.Page) (models.List[models.Report], error) {
	return models.ListReports(s.store.Read(ctx), f, page)
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
	return s.store.InTx(ctx, func(tx *models.Tx) error { return models.DeleteReport(tx, id) })
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
