package models

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Create stores a new row, without what it refers to.
func Create(tx *Tx, row any) error {
	return wrap(tx.Omit(clause.Associations).Create(row).Error, "storing %T", row)
}

// Delete removes what an id names: an order with its items, an image with its variants (but
// no blobs, see OrphanBlob), a payment with its refunds. Its task stays, with the updates and
// deliveries: what was promised to a client is still delivered.
func Delete[Row any](tx *Tx, id string) error {
	var row Row
	return wrap(tx.Where("id = ?", id).Delete(&row).Error, "deleting %T %s", row, id)
}

// take finds the one row of a query.
func take[Row any](query *gorm.DB, kind, id string) (row Row, err error) {
	err = query.Take(&row).Error
	return row, notFound(err, kind, id)
}
