package models

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"

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
}

// find runs query for one page and reads one row more, to know whether there is
// a next one. idColumn is the primary key, and id reads it from a row.
func find[T any](query *gorm.DB, page Page, idColumn string, id func(T) string) (List[T], error) {
	limit := min(max(page.Limit, 1), MaxLimit)
	if page.Cursor != "" {
		last, err := base64.RawURLEncoding.DecodeString(page.Cursor)
		if err != nil || len(last) == 0 || len(last) > 100 || !utf8.Valid(last) || bytes.ContainsRune(last, 0) {
			return List[T]{}, Invalid("cursor", "is not one that this list gave out")
		}
		query = query.Where(idColumn+" < ?", string(last))
	}
	items := []T{}
	if err := query.Order(idColumn + " DESC").Limit(limit + 1).Find(&items).Error; err != nil {
		return List[T]{}, err
	}
	if len(items) <= limit {
		return List[T]{Items: items}, nil
	}
	items = items[:limit]
	next := base64.RawURLEncoding.EncodeToString([]byte(id(items[limit-1])))
	return List[T]{Items: items, Next: next}, nil
}
