package services

import (
	"context"

	"gorm.io/gorm"

	"petstore/models"
)

// list reads a page of a list, as one of the few reads that may be expensive
// (models.Store.LimitedRead).
func list[Filter, Row any](
	ctx context.Context, store *models.Store,
	query func(*gorm.DB, Filter, models.Page) (models.List[Row], error), f Filter, page models.Page,
) (found models.List[Row], err error) {
	err = store.LimitedRead(ctx, func(db *gorm.DB) error {
		found, err = query(db, f, page)
		return err
	})
	return found, err
}
