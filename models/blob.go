package models

import (
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// OrphanBlob is a blob that no row names: not yet, or not any more. Blobs and
// rows cannot be written in one transaction, so a blob is noted here before it
// is written for a row to come, and in the transaction that takes its row away.
// Whatever is still here at DueAt is deleted, so no crash leaves a blob behind.
type OrphanBlob struct {
	Blob  string `gorm:"primaryKey"` // its key in the bucket
	DueAt time.Time
}

// TableName is an older word for it.
func (OrphanBlob) TableName() string { return "loose_blobs" }

// AddOrphanBlobs notes that nothing needs these blobs from due on. One that is
// noted already keeps its time.
func AddOrphanBlobs(tx *Tx, due time.Time, keys ...string) error {
	rows := make([]OrphanBlob, len(keys))
	for i, key := range keys {
		rows[i] = OrphanBlob{Blob: key, DueAt: due}
	}
	return wrap(tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&rows).Error, "noting %d orphan blobs", len(keys))
}

// KeepBlob takes a blob off the list, because a row names it now. It is an error
// if the blob is not on it: it may be deleted already.
func KeepBlob(tx *Tx, key string) error {
	res := tx.Delete(&OrphanBlob{Blob: key})
	if res.Error != nil {
		return fmt.Errorf("keeping blob %s: %w", key, res.Error)
	}
	if res.RowsAffected != 1 {
		return fmt.Errorf("keeping blob %s: it is not there any more", key)
	}
	return nil
}

// DueBlobs lists up to limit blobs that are to be deleted now.
func DueBlobs(db *gorm.DB, now time.Time, limit int) ([]string, error) {
	var keys []string
	err := db.Model(&OrphanBlob{}).Where("due_at <= ?", now).Order("due_at").Limit(limit).Pluck("blob", &keys).Error
	return keys, wrap(err, "listing orphan blobs")
}

// ForgetBlobs takes blobs that have been deleted off the list.
func ForgetBlobs(tx *Tx, keys []string) error {
	return wrap(tx.Where("blob IN ?", keys).Delete(&OrphanBlob{}).Error, "forgetting %d deleted blobs", len(keys))
}
