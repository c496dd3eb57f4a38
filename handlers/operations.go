package handlers

import (
	"fmt"
	"maps"
	"slices"

	"petstore/models"
)

// imageOperation is one thing to do to an image: resize (`width`, `height` or
// both, `fit`), crop (`x`, `y`, `width`, `height`), rotate (`degrees`) or
// grayscale.
type imageOperation struct {
	Op string `json:"op" validate:"required,oneof=resize crop rotate grayscale" example:"resize"`
	// In pixels; at most 5000 to resize to. One that is not given follows the other.
	Width  int `json:"width,omitempty" validate:"min=0,max=30000" example:"800"`
	Height int `json:"height,omitempty" validate:"min=0,max=30000" example:"600"`
	// Of a resized picture with both sides given: contain shows all of it, cover fills all and cuts off what is over.
	Fit string `json:"fit,omitempty" validate:"omitempty,oneof=contain cover" default:"contain" example:"cover"`
	// The left edge of what to crop, in pixels.
	X int `json:"x,omitempty" validate:"min=0,max=30000" example:"10"`
	// The upper edge of what to crop, in pixels.
	Y int `json:"y,omitempty" validate:"min=0,max=30000" example:"10"`
	// Clockwise.
	Degrees int `json:"degrees,omitempty" validate:"omitempty,oneof=90 180 270" enums:"90,180,270" example:"90"`
}

// validate names the field that does not fit the operation, "" if all do.
func (o imageOperation) validate() (field, message string) {
	const maxResize = 5000
	used := map[string][]string{
		models.OpResize: {"width", "height", "fit"}, models.OpCrop: {"width", "height", "x", "y"}, models.OpRotate: {"degrees"},
	}[o.Op]
	given := map[string]bool{
		"width": o.Width != 0, "height": o.Height != 0, "fit": o.Fit != "", "x": o.X != 0, "y": o.Y != 0, "degrees": o.Degrees != 0,
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if given[name] && !slices.Contains(used, name) {
			return name, "is no part of " + o.Op
		}
	}
	switch {
	case o.Op == models.OpResize && o.Width == 0 && o.Height == 0:
		return "width", "or height is required"
	case o.Op == models.OpResize && o.Width > maxResize:
		return "width", fmt.Sprintf("must be at most %d", maxResize)
	case o.Op == models.OpResize && o.Height > maxResize:
		return "height", fmt.Sprintf("must be at most %d", maxResize)
	case o.Op == models.OpResize && o.Fit == models.FitCover && (o.Width == 0 || o.Height == 0):
		return "fit", "can be cover only if width and height are given"
	case o.Op == models.OpCrop && o.Width == 0:
		return "width", "is required"
	case o.Op == models.OpCrop && o.Height == 0:
		return "height", "is required"
	case o.Op == models.OpRotate && o.Degrees == 0:
		return "degrees", "is required"
	}
	return "", ""
}
