package models

import (
	"fmt"
	"time"

	"gorm.io/gorm"
)

// ImageVariant is one picture that was made, ready to be served.
type ImageVariant struct {
	ImageID     string `gorm:"primaryKey"`
	Name        string `gorm:"primaryKey"`
	Position    int
	ContentType string
	Width       int
	Height      int
	Size        int64  // in bytes
	SHA256      string `gorm:"column:sha256"` // of its bytes, in hexadecimal
	CreatedAt   time.Time
}

// CreateVariants stores what was made of an image.
func CreateVariants(tx *Tx, variants []ImageVariant) error {
	if err := tx.Create(&variants).Error; err != nil {
		return fmt.Errorf("storing the variants of image %s: %w", variants[0].ImageID, err)
	}
	return nil
}

// FindVariant finds a variant of an image by its name.
func FindVariant(db *gorm.DB, imageID, name string) (ImageVariant, error) {
	var v ImageVariant
	err := db.Where("image_id = ? AND name = ?", imageID, name).Take(&v).Error
	return v, notFound(err, "picture", imageID+"/"+name)
}
