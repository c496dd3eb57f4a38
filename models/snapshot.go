package models

import (
	"fmt"
	"time"

	"petstore/callbacks"

	"gorm.io/gorm"
)

// Rows is a table that is read in spans of its primary key.
type Rows struct {
	Table  string
	Prefix string // of its ids
}

// Tables that reports read.
var (
	OrderRows    = Rows{callbacks.KindOrder.Collection, callbacks.KindOrder.Prefix}
	ProductRows  = Rows{"products", PrefixProduct}
	DeliveryRows = Rows{"deliveries", PrefixDelivery}
)

// Period is a time to report on, from From and before Until; zero values leave
// it open.
type Period struct {
	From  time.Time
	Until time.Time
}

// Span is the part of a table with ids after After, up to and with Last.
type Span struct {
	After string
	Last  string
	Count int64 // of its rows that lie in the period
}

// idSlack is how far the time in an id may be from the time in its row: the
// clock may have been set between the two, and ids never go back.
const idSlack = 24 * time.Hour

// Count counts the rows that were created in the period.
func (r Rows) Count(db *gorm.DB, p Period) (int64, error) {
	var n int64
	err := r.in(db.Table(r.Table), p).Count(&n).Error
	return n, wrap(err, "counting %s", r.Table)
}

// Next finds the span of the next n rows of the period after an id, "" for the
// start. At the end of the table its Count is 0.
func (r Rows) Next(db *gorm.DB, p Period, after string, n int64) (Span, error) {
	span := Span{After: after}
	ids := r.in(db.Table(r.Table), p).Select("id").Where("id > ?", after).Order("id").Limit(int(n))
	err := db.Raw("SELECT coalesce(max(id), ''), count(*) FROM (?) AS page", ids).Row().Scan(&span.Last, &span.Count)
	return span, wrap(err, "paging through %s", r.Table)
}

// in narrows a query to a period. Ids grow with time (see NewID), so that a
// period is a range of the primary key and needs no index on created_at, which
// every order placed would pay for; created_at then decides.
func (r Rows) in(q *gorm.DB, p Period) *gorm.DB {
	if !p.From.IsZero() {
		q = q.Where(r.Table+".id >= ?", idAt(r.Prefix, p.From.Add(-idSlack))).Where(r.Table+".created_at >= ?", p.From)
	}
	if !p.Until.IsZero() {
		q = q.Where(r.Table+".id < ?", idAt(r.Prefix, p.Until.Add(idSlack))).Where(r.Table+".created_at < ?", p.Until)
	}
	return q
}

// span narrows a query to one part of a period.
func (r Rows) span(q *gorm.DB, p Period, s Span) *gorm.DB {
	return r.in(q, p).Where(r.Table+".id > ?", s.After).Where(r.Table+".id <= ?", s.Last)
}

// idAt is the lowest id that NewID makes at a time: a version 7 UUID begins with
// 48 bits of Unix milliseconds (RFC 9562, section 5.7).
func idAt(prefix string, t time.Time) string {
	return prefix + fmt.Sprintf("%012x", max(t.UnixMilli(), 0))
}

// each calls fn for every row of a query, with its values in fields. Rows are not collected,
// so that memory does not grow with their number.
func each(q *gorm.DB, fn func(), fields ...any) error {
	rows, err := q.Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(fields...); err != nil {
			return err
		}
		fn()
	}
	return rows.Err()
}

// dayOf is the SQL for the day of a time in UTC, as 2026-01-31.
func dayOf(db *gorm.DB, column string) string {
	if db.Name() == "postgres" {
		return "to_char(" + column + " AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
	}
	return "substr(" + column + ", 1, 10)" // times are stored as text, in UTC
}
