package handlers

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"petstore/models"
)

// imageOperation is one thing to do to an image: resize (`width`, `height` or
// both, `fit`), crop (`x`, `y`, `width`, `height`), rotate (`degrees`) or
// grayscale.
type imageOperation struct {
	// What to do: crop needs width and height, rotate degrees, resize one of width and height, or both.
	Op string `json:"op" validate:"required,oneof=resize crop rotate grayscale" example:"resize"`
	// In pixels; at most 5000 to resize to. One that is not given follows the other.
	Width int `json:"width,omitempty" validate:"min=0,max=30000" example:"800"`
	// In pixels; at most 5000 to resize to. One that is not given follows the other.
	Height int `json:"height,omitempty" validate:"min=0,max=30000" example:"600"`
	// Of a resized picture with both sides given: contain shows all of it, cover fills all and cuts off what is over.
	Fit string `json:"fit,omitempty" validate:"omitempty,oneof=contain cover" default:"contain" example:"cover"`
	// The left edge of what to crop, in pixels.
	X int `json:"x,omitempty" validate:"min=0,max=30000" example:"10"`
	// The upper edge of what to crop, in pixels.
	Y int `json:"y,omitempty" validate:"min=0,max=30000" example:"10"`
	// How far to rotate, clockwise.
	Degrees int `json:"degrees,omitempty" validate:"omitempty,oneof=90 180 270" enums:"90,180,270" example:"90"`
}

// operationFields are what each operation has.
var operationFields = map[string][]string{
	models.OpResize: {"width", "height", "fit"}, models.OpCrop: {"x", "y", "width", "height"}, models.OpRotate: {"degrees"}, models.OpGrayscale: nil,
}

// check says which fields do not fit the operation, if that is one. Their names begin with at.
func (o imageOperation) check(at string, wrong *models.FieldErrors) {
	used, known := operationFields[o.Op]
	if !known {
		return
	}
	given := map[string]bool{
		"width": o.Width != 0, "height": o.Height != 0, "fit": o.Fit != "", "x": o.X != 0, "y": o.Y != 0, "degrees": o.Degrees != 0,
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if given[name] && !slices.Contains(used, name) {
			wrong.Addf(at+name, "is no part of %s, which takes %s", o.Op, cmp.Or(strings.Join(used, ", "), "nothing"))
		}
	}
	switch o.Op {
	case models.OpResize:
		o.checkResize(at, wrong)
	case models.OpCrop:
		required(wrong, at+"width", o.Width)
		required(wrong, at+"height", o.Height)
	case models.OpRotate:
		required(wrong, at+"degrees", o.Degrees)
	}
}

func required(wrong *models.FieldErrors, field string, value int) {
	if value == 0 {
		wrong.Addf(field, "is required")
	}
}

func (o imageOperation) checkResize(at string, wrong *models.FieldErrors) {
	const most = 5000
	if o.Width == 0 && o.Height == 0 {
		wrong.Addf(at+"width", "or height is required")
	}
	if o.Width > most {
		wrong.Addf(at+"width", "must be at most %d", most)
	}
	if o.Height > most {
		wrong.Addf(at+"height", "must be at most %d", most)
	}
	if o.Fit == models.FitCover && (o.Width == 0 || o.Height == 0) {
		wrong.Addf(at+"fit", "can be cover only if width and height are given")
	}
}
