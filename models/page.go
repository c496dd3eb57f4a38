package models

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"petstore/callbacks"

	"gorm.io/gorm"
)

// Limits of a page of a list.
const (
	DefaultLimit = 20
	MaxLimit     = 100
)

// Page asks for a part of a list: at most Limit rows (1 to MaxLimit) that come
// after Cursor, which is a Next of an earlier answer or "" for the start.
//
// Lists are ordered newest first, by id, and a cursor holds the last id seen
// (keyset pagination): rows that are added or removed meanwhile make no other
// row appear twice or not at all, and page 1,000 costs what page 1 does.
type Page struct {
	Limit  int
	Cursor string
}

// List is a page of rows. Next is the cursor of the following page, "" at the end.
type List[T any] struct {
	Items []T
	Next  string
	id    func(T) string
}

// After is the cursor of what follows item i, for a page that ends with it.
func (l List[T]) After(i int) string { return cursorAfter(l.id(l.Items[i])) }

func cursorAfter(id string) string { return base64.RawURLEncoding.EncodeToString([]byte(id)) }

// find runs query for one page and reads one row more, to know whether there is
// a next one. idColumn is the primary key, and id reads it from a row.
func find[T any](query *gorm.DB, page Page, idColumn string, id func(T) string) (List[T], error) {
	limit := page.limit()
	last, err := page.last()
	if err != nil {
		return List[T]{}, err
	}
	if last != "" {
		query = query.Where(idColumn+" < ?", last)
	}
	items := []T{}
	if err := query.Order(idColumn + " DESC").Limit(limit + 1).Find(&items).Error; err != nil {
		return List[T]{}, err
	}
	if len(items) <= limit {
		return List[T]{Items: items, id: id}, nil
	}
	items = items[:limit]
	return List[T]{Items: items, Next: cursorAfter(id(items[limit-1])), id: id}, nil
}

// findResources is find for what the tasks of a kind work on, with a status and a value in
// a column; "" narrows nothing.
func findResources[T any](query *gorm.DB, kind callbacks.Kind, status, column, value string, page Page, id func(T) string) (List[T], error) {
	table := kind.Collection
	with, args := "", []any{}
	if value != "" {
		query = query.Where(table+"."+column+" = ? AND "+table+"."+column+" <> ''", value) // for indexes that leave "" out
		with, args = " AND r."+column+" = ?", []any{value}
	}
	if status != "" {
		var err error
		if query, err = unionOf(query, table+".id", page, []indexScan{byStatus(kind, status, with, args...)}); err != nil {
			return List[T]{}, err
		}
	}
	return find(query, page, table+".id", id)
}

func (p Page) limit() int { return min(max(p.Limit, 1), MaxLimit) }

// last is the id that the page comes after, "" for the start.
func (p Page) last() (string, error) {
	if p.Cursor == "" {
		return "", nil
	}
	last, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err != nil || len(last) == 0 || len(last) > 100 || !utf8.Valid(last) || bytes.ContainsRune(last, 0) {
		return "", errCursor()
	}
	return string(last), nil
}

func errCursor() error {
	return Invalid("cursor", "is not one that this list gave out; take next_cursor of its last page, or leave it out to begin")
}

// findNumbered is find for rows that are listed first to last, by a number of theirs.
func findNumbered[T any](query *gorm.DB, page Page, column string, number func(T) int) (List[T], error) {
	after, err := page.number()
	if err != nil {
		return List[T]{}, err
	}
	list := List[T]{Items: []T{}, id: func(row T) string { return strconv.Itoa(number(row)) }}
	if err := query.Where(column+" > ?", after).Order(column).Limit(page.limit() + 1).Find(&list.Items).Error; err != nil {
		return List[T]{}, err
	}
	if len(list.Items) > page.limit() {
		list.Items = list.Items[:page.limit()]
		list.Next = list.After(page.limit() - 1)
	}
	return list, nil
}

// number is the number that the page comes after, 0 for the start.
func (p Page) number() (int64, error) {
	last, err := p.last()
	if err != nil || last == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(last, 10, 64)
	if err != nil {
		return 0, errCursor()
	}
	return n, nil
}

// indexScan is a walk along one index that finds ids, newest first.
type indexScan struct {
	from  string // the table, and its alias
	id    string // the column
	where string
	args  []any
	sort  bool // the index has another order: what it finds is sorted
}

// byStatus walks along the tasks of a kind. with says what else must be so of what they
// work on, as conditions on r.
func byStatus(kind callbacks.Kind, status, with string, args ...any) indexScan {
	exists := " AND EXISTS (SELECT 1 FROM " + kind.Collection + " r WHERE r.id = t.resource_id" + with + ")"
	return indexScan{from: "tasks t", id: "t.resource_id", where: "t.kind = ? AND t.status = ?" + exists, args: append([]any{kind.Name, status}, args...)}
}

// unionOf narrows a query to what a page can show of what the scans find; without scans
// it narrows nothing. Each indexScan stops after a page, so that a filter costs the same
// however many rows it picks or passes over: databases plan a filter and an order by
// id as a walk along the ids, which may pass over all of them.
func unionOf(query *gorm.DB, idColumn string, page Page, scans []indexScan) (*gorm.DB, error) {
	last, err := page.last()
	if err != nil {
		return nil, err
	}
	return firstOf(query, idColumn, last, page.limit()+1, scans), nil
}

// firstOf is unionOf for the first rows after an id, "" for the start.
func firstOf(query *gorm.DB, idColumn, last string, limit int, scans []indexScan) *gorm.DB {
	if scans == nil {
		return query
	}
	var union []string
	var args []any
	for _, a := range scans {
		order := a.id
		if a.sort {
			order += " || ''" // so that no database walks along the ids instead
		}
		where, scanArgs := a.where, a.args
		if last != "" {
			where, scanArgs = where+" AND "+order+" < ?", append(slices.Clone(scanArgs), last)
		}
		union = append(union, fmt.Sprintf("SELECT found FROM (SELECT %s AS found FROM %s WHERE %s ORDER BY %s DESC LIMIT %d) AS a", a.id, a.from, where, order, limit))
		args = append(args, scanArgs...)
	}
	return query.Where(idColumn+" IN ("+strings.Join(union, " UNION ALL ")+")", args...)
}

// placeholders is "?, ?, …" for n values, at least one.
func placeholders(n int) string { return strings.Repeat(", ?", n)[2:] }
