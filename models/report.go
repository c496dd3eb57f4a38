package models

import (
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Types of reports.
const (
	ReportSales     = "sales"     // orders by day, product and category
	ReportInventory = "inventory" // what is in stock, and what it is worth
	ReportCallbacks = "callbacks" // how deliveries went
	ReportDataset   = "dataset"   // a profile of data that the client gives
)

// Report is a report that a client asked for. How far it has come is told by its
// task; what it says is in a column of its own, see ReportContent.
type Report struct {
	ID        string
	TaskID    string
	Task      Task
	Type      string
	FromDay   string // first day that it covers, "" for the beginning: 2026-01-31, in UTC
	ToDay     string // last day, "" for today
	CreatedAt time.Time
	UpdatedAt time.Time
	Data      string // what a dataset report profiles; only CreateReport and ReportData touch it
}

// NewReport is what a client asks for.
type NewReport struct {
	Type        string
	FromDay     string
	ToDay       string
	Data        string
	CallbackURL string
	Metadata    Metadata
}

// ReportFilter narrows a list of reports; zero values narrow nothing.
type ReportFilter struct {
	Type   string
	Status string
}

// CreateReport stores a new report.
func CreateReport(tx *Tx, r *Report) error {
	if err := tx.Omit("Task").Create(r).Error; err != nil {
		return fmt.Errorf("storing report %s: %w", r.ID, err)
	}
	return nil
}

// FindReport finds a report with its task, and without its data.
func FindReport(db *gorm.DB, id string) (Report, error) {
	var r Report
	err := db.Omit("Data").Joins("Task").Where("reports.id = ?", id).Take(&r).Error
	return r, notFound(err, "report", id)
}

// ListReports lists reports with their tasks and without their data, newest first.
func ListReports(db *gorm.DB, f ReportFilter, page Page) (List[Report], error) {
	q := db.Omit("Data").Joins("Task")
	if f.Type != "" {
		q = q.Where("reports.type = ?", f.Type)
	}
	if f.Status != "" {
		q = q.Where(`"Task"."status" = ?`, f.Status)
	}
	return find(q, page, "reports.id", func(r Report) string { return r.ID })
}

// ReportData is the data that a dataset report profiles.
func ReportData(db *gorm.DB, id string) (string, error) {
	var data string
	if err := db.Raw("SELECT data FROM reports WHERE id = ?", id).Row().Scan(&data); err != nil {
		return "", fmt.Errorf("reading the data of report %s: %w", id, err)
	}
	return data, nil
}

// ReportContent is what a report says, nil as long as it is not finished.
func ReportContent(db *gorm.DB, id string) ([]byte, error) {
	var content []byte
	if err := db.Raw("SELECT content FROM reports WHERE id = ?", id).Row().Scan(&content); err != nil {
		return nil, fmt.Errorf("reading the content of report %s: %w", id, err)
	}
	return content, nil
}

// SaveReportContent stores what a report says.
func SaveReportContent(tx *Tx, id string, content []byte) error {
	err := tx.Exec("UPDATE reports SET content = ?, updated_at = ? WHERE id = ?", content, Now(), id).Error
	if err != nil {
		return fmt.Errorf("storing the content of report %s: %w", id, err)
	}
	return nil
}

// DeleteReport removes a report. Its task stays, with the updates and deliveries.
func DeleteReport(tx *Tx, id string) error {
	if err := tx.Delete(&Report{ID: id}).Error; err != nil {
		return fmt.Errorf("deleting report %s: %w", id, err)
	}
	return nil
}
