package models

import (
	"fmt"
	"time"

	"petstore/callbacks"

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

// ImageFilter narrows a list of images; zero values narrow nothing.
type ImageFilter struct {
	Status   string
	ImageURL string
}

// FindImage finds an image with its variants and its task.
func FindImage(db *gorm.DB, id string) (Image, error) {
	return take[Image](db.Joins("Task").Preload("Variants", inOrder).Where("images.id = ?", id), "image", id)
}

// ListImages lists images with their variants and tasks, newest first.
func ListImages(db *gorm.DB, f ImageFilter, page Page) (List[Image], error) {
	q := db.Joins("Task").Preload("Variants", inOrder)
	return findResources(q, callbacks.KindImage, f.Status, "image_url", f.ImageURL, page, func(i Image) string { return i.ID })
}

// NotShown makes sure that no product shows a picture of an image.
func NotShown(db *gorm.DB, imageID string) error {
	var slugs []string
	err := db.Model(&Product{}).Where("image_id = ? AND image_id <> ''", imageID).Limit(1).Pluck("slug", &slugs).Error
	if err != nil {
		return fmt.Errorf("finding the products that show image %s: %w", imageID, err)
	}
	if len(slugs) > 0 {
		return Conflict("The product %q shows this image: give it another one first.", slugs[0])
	}
	return nil
}
