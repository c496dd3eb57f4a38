package handlers

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"petstore/callbacks"
	"petstore/models"
)

const (
	// maxUpload bounds an uploaded file, in bytes: 20 MiB.
	maxUpload = 20 << 20
	// uploadPatience is how long an upload may take: 20 MiB in it are 1.4 Mbit/s.
	uploadPatience = 2 * time.Minute
)

// imageRequest asks for an image to be processed.
type imageRequest struct {
	// Where the image is.
	ImageURL string `json:"image_url,omitempty" format:"uri" maxLength:"2048" example:"https://example.com/cat.jpg"`
	// What to do to it, in this order. It makes one picture, called processed.
	Operations []imageOperation `json:"operations,omitempty" validate:"max=10,dive" minItems:"1"`
	// What to write pictures as. Without it photographs stay JPEG, and the rest becomes PNG.
	Format string `json:"format,omitempty" validate:"omitempty,oneof=jpeg png gif" example:"jpeg"`
	// Of JPEG pictures.
	Quality *int `json:"quality,omitempty" validate:"omitempty,min=1,max=100" default:"85" example:"85"`
	// Strings of your own, repeated in every update: at most 50, names of at most 64 and values of at most 500 characters, 16 KiB altogether.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Where progress and outcome are POSTed to.
	CallbackURL string `json:"callback_url,omitempty" format:"uri" maxLength:"2048" example:"http://127.0.0.1:9090/callbacks/image"`
}

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

// check says what the validate tags cannot.
func (r imageRequest) check(file io.Reader, production bool) (models.NewImage, error) {
	n := models.NewImage{ImageURL: r.ImageURL, File: file, Format: r.Format, CallbackURL: r.CallbackURL, Metadata: r.Metadata}
	switch {
	case r.ImageURL == "" && file == nil:
		return n, models.Invalid("image_url", "is required, or a file in a form (multipart/form-data)")
	case r.ImageURL != "" && file != nil:
		return n, models.Invalid("image_url", "must not be given together with file")
	case r.Operations != nil && len(r.Operations) == 0:
		return n, models.Invalid("operations", "must have at least one entry; leave it out for thumbnails")
	case r.Quality != nil && r.Format != "" && r.Format != "jpeg":
		return n, models.Invalid("quality", "is of JPEG only")
	}
	if r.ImageURL != "" {
		if err := callbacks.CheckURL(r.ImageURL, production); err != nil {
			return n, models.Invalid("image_url", "%s", err)
		}
	}
	for i, op := range r.Operations {
		if field, message := op.wrong(); field != "" {
			return n, models.Invalid(fmt.Sprintf("operations[%d].%s", i, field), "%s", message)
		}
		n.Operations = append(n.Operations, models.ImageOperation(op))
	}
	if r.Quality != nil {
		n.Quality = *r.Quality
	}
	return n, checkCallback(r.CallbackURL, r.Metadata, production)
}

// wrong names the field that does not fit the operation, "" if all do.
func (o imageOperation) wrong() (field, message string) {
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

// readImageRequest reads JSON, or a form with the same fields and a file.
func readImageRequest(c *gin.Context) (imageRequest, multipart.File, error) {
	if mediaType, _, _ := mime.ParseMediaType(c.GetHeader("Content-Type")); mediaType != "multipart/form-data" {
		if mediaType != "application/json" {
			// One message for both: decode would speak of JSON alone.
			if err := checkMediaType(c.GetHeader("Content-Type"), []string{"application/json", "multipart/form-data"}); err != nil {
				return imageRequest{}, nil, err
			}
		}
		request, err := decode[imageRequest](c)
		return request, nil, err
	}
	form, err := readForm(c)
	if err != nil {
		return imageRequest{}, nil, err
	}
	var request imageRequest
	fields, err := formAsJSON(form.Value)
	if err == nil {
		err = unmarshal(fields, &request)
	}
	if err != nil {
		return request, nil, err
	}
	file, err := formFile(form)
	return request, file, err
}

// readForm reads a form. Of its file no more than 1 MiB is kept in memory; the
// rest is in a file that net/http removes when the request is over.
func readForm(c *gin.Context) (*multipart.Form, error) {
	// Large files come slowly. Without a connection, in tests, there is no deadline to move.
	_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Now().Add(uploadPatience))
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxUpload+maxBody)
	err := c.Request.ParseMultipartForm(maxBody)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), errors.Is(err, multipart.ErrMessageTooLarge):
		return nil, uploadTooLarge()
	case errors.As(err, new(*fs.PathError)):
		return nil, fmt.Errorf("keeping an upload: %w", err)
	case err != nil:
		return nil, &models.Error{Code: codeMalformed, Message: "The body is not a proper form (multipart/form-data, RFC 7578).", Err: err}
	}
	return c.Request.MultipartForm, nil
}

func uploadTooLarge() error {
	return &models.Error{Code: codeTooLarge, Message: fmt.Sprintf("The file is larger than %d bytes, or the rest of the form than %d.", maxUpload, maxBody),
		Fields: []models.FieldError{{Field: "file", Message: fmt.Sprintf("must be at most %d bytes", maxUpload)}}}
}

// textFields are those that a form gives as they are; the others are JSON.
var textFields = []string{"image_url", "format", "callback_url"}

// formAsJSON writes the fields of a form as one JSON object, so that they are
// decoded and checked as if they had come as JSON. An empty field is one that
// was not filled in.
func formAsJSON(fields map[string][]string) ([]byte, error) {
	object := []byte("{")
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		values := fields[name]
		if len(values) > 1 {
			return nil, models.Invalid(clip(name, 200), "must be given once")
		}
		if values[0] == "" {
			continue
		}
		key, err := jsontext.AppendQuote(nil, name)
		if err != nil {
			return nil, models.Invalid("file", "must not be accompanied by fields whose names are not UTF-8")
		}
		value := []byte(values[0])
		if slices.Contains(textFields, name) {
			if value, err = jsontext.AppendQuote(nil, value); err != nil {
				return nil, models.Invalid(name, "must be UTF-8")
			}
		} else if !jsontext.Value(value).IsValid() {
			return nil, models.Invalid(clip(name, 200), "must be JSON")
		}
		if len(object) > 1 {
			object = append(object, ',')
		}
		object = append(append(append(object, key...), ':'), value...)
	}
	return append(object, '}'), nil
}

// formFile opens the form's file, which may be missing.
func formFile(form *multipart.Form) (multipart.File, error) {
	for name := range form.File {
		if name != "file" {
			return nil, models.Invalid(clip(name, 200), "is not a file of this request; send the picture as file")
		}
	}
	files := form.File["file"]
	switch {
	case len(files) == 0:
		return nil, nil
	case len(files) > 1:
		return nil, models.Invalid("file", "must be given once")
	case files[0].Size > maxUpload:
		return nil, uploadTooLarge()
	case files[0].Size == 0:
		return nil, models.Invalid("file", "must not be empty")
	}
	file, err := files[0].Open()
	if err != nil {
		return nil, fmt.Errorf("opening an upload: %w", err)
	}
	return file, nil
}
