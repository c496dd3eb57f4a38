package models

import (
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

// FindVariant finds a variant of an image by its name.
func FindVariant(db *gorm.DB, imageID, name string) (ImageVariant, error) {
	return take[ImageVariant](db.Where("image_id = ? AND name = ?", imageID, name), "picture", imageID+"/"+name)
}
