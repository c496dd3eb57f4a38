package models

import (
	"fmt"
	"io"
	"time"

	"gorm.io/gorm"
)

// Image is a picture that a client sent or named, and what is made of it. How
// far that has come is told by its task.
type Image struct {
	ID         string
	TaskID     string
	Task       Task
	ImageURL   string           // "" for one that was uploaded
	Operations []ImageOperation `gorm:"serializer:json"`
	Format     string           // of the variants: jpeg, png, gif; "" for what suits the picture
	Quality    int              // of JPEG variants, 1 to 100; 0 for the default
	Variants   []ImageVariant   // once they are made
	CreatedAt  time.Time
}

// ImageOperation is one thing to do to a picture. Which of the fields it uses
// depends on Op.
type ImageOperation struct {
	Op      string `json:"op"`
	Width   int    `json:"width,omitempty"`   // resize, crop: in pixels
	Height  int    `json:"height,omitempty"`  // resize, crop: in pixels
	Fit     string `json:"fit,omitempty"`     // resize
	X       int    `json:"x,omitempty"`       // crop: the left edge
	Y       int    `json:"y,omitempty"`       // crop: the upper edge
	Degrees int    `json:"degrees,omitempty"` // rotate: 90, 180 or 270, clockwise
}

// Operations on pictures.
const (
	OpResize    = "resize"
	OpCrop      = "crop"
	OpRotate    = "rotate"
	OpGrayscale = "grayscale"
)

// How a picture is fitted into a size of another shape.
const (
	FitContain = "contain" // whole, and as large as it can be
	FitCover   = "cover"   // filling all of it, the rest cut off on both sides alike
)

// NewImage is what a client asks for. Exactly one of ImageURL and File is set.
type NewImage struct {
	ImageURL    string
	File        io.Reader
	Operations  []ImageOperation
	Format      string
	Quality     int
	CallbackURL string
	Metadata    Metadata
}

// ImageFilter narrows a list of images; zero values narrow nothing.
type ImageFilter struct {
	Status   string
	ImageURL string
}

// CreateImage stores a new image.
func CreateImage(tx *Tx, i *Image) error {
	if i.Operations == nil {
		i.Operations = []ImageOperation{}
	}
	if err := tx.Omit("Task", "Variants").Create(i).Error; err != nil {
		return fmt.Errorf("storing image %s: %w", i.ID, err)
	}
	return nil
}

// FindImage finds an image with its variants and its task.
func FindImage(db *gorm.DB, id string) (Image, error) {
	var i Image
	err := db.Joins("Task").Preload("Variants", inOrder).Where("images.id = ?", id).Take(&i).Error
	return i, notFound(err, "image", id)
}

// ListImages lists images with their variants and tasks, newest first.
func ListImages(db *gorm.DB, f ImageFilter, page Page) (List[Image], error) {
	q := db.Joins("Task").Preload("Variants", inOrder)
	if f.ImageURL != "" {
		q = q.Where("images.image_url = ?", f.ImageURL)
	}
	if f.Status != "" {
		with, args := "", []any{}
		if f.ImageURL != "" {
			with, args = " AND r.image_url = ?", []any{f.ImageURL}
		}
		var err error
		if q, err = among(q, "images.id", page, []arm{byStatus("image", "images", f.Status, with, args...)}); err != nil {
			return List[Image]{}, err
		}
	}
	return find(q, page, "images.id", func(i Image) string { return i.ID })
}

// DeleteImage removes an image and its variants, but no blobs: see LooseBlob.
// Its task stays, with the updates and deliveries.
func DeleteImage(tx *Tx, id string) error {
	if err := tx.Delete(&Image{ID: id}).Error; err != nil {
		return fmt.Errorf("deleting image %s: %w", id, err)
	}
	return nil
}

// NotShown makes sure that no product shows a picture of an image.
func NotShown(db *gorm.DB, imageID string) error {
	var slugs []string
	err := db.Model(&Product{}).Where("image_url LIKE ?", "%/"+imageID+"/%").Limit(1).Pluck("slug", &slugs).Error
	if err != nil {
		return fmt.Errorf("finding the products that show image %s: %w", imageID, err)
	}
	if len(slugs) > 0 {
		return Conflict("The product %q shows this image: give it another one first.", slugs[0])
	}
	return nil
}
