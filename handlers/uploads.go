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

	"petstore/models"
)

const (
	// maxUpload bounds an uploaded file, in bytes: 20 MiB.
	maxUpload = 20 << 20
	// uploadTimeout is how long an upload may take: 20 MiB in it are 1.4 Mbit/s.
	uploadTimeout = 2 * time.Minute
)

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
	blobsErr := readBlobs(form)
	fields, fieldsErr := formAsJSON(form.Value)
	file, fileErr := formFile(form)
	return request, file, invalid(request, blobsErr, fieldsErr, unmarshal(fields, &request), fileErr)
}

// formMemory has the fields of a form take 1 MiB of memory at most, and its file none:
// multipart.Reader.ReadForm lets fields have 10 MiB more than it is given, and files what
// it is given.
const formMemory = maxBody - 10<<20

// readForm reads a form. Its file is in a file that net/http removes when the request is over.
func readForm(c *gin.Context) (*multipart.Form, error) {
	// Large files come slowly. Without a connection, in tests, there is no deadline to move.
	_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Now().Add(uploadTimeout))
	loadOf(c).atMost = maxBody // the rest is on the disk
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxUpload+maxBody)
	err := c.Request.ParseMultipartForm(formMemory)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), errors.Is(err, multipart.ErrMessageTooLarge):
		return nil, uploadTooLarge()
	case isFull(err):
		return nil, errInFlight(c.Request.Context())
	case errors.As(err, new(*fs.PathError)):
		return nil, fmt.Errorf("keeping an upload: %w", err)
	case err != nil:
		return nil, &models.Error{Code: codeMalformed, Message: "The body is not a proper form (multipart/form-data, RFC 7578). Leave the Content-Type header to your client, which adds the boundary.", Err: err}
	}
	return c.Request.MultipartForm, nil
}

func uploadTooLarge() error {
	return &models.Error{Code: codeBodyTooLarge, Message: fmt.Sprintf("The file is larger than %d bytes, or the rest of the form than %d.", maxUpload, maxBody),
		Fields: []models.FieldError{{Field: "file", Message: fmt.Sprintf("must be at most %d bytes", maxUpload)}}}
}

// readBlobs makes fields of parts that came as files: browsers give a Blob a filename, and it has the type that the
// contract asks for.
func readBlobs(form *multipart.Form) error {
	var wrong models.FieldErrors
	for _, name := range slices.Sorted(maps.Keys(form.File)) {
		if name == "file" {
			continue
		}
		for _, part := range form.File[name] {
			mediaType, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
			if mediaType != "application/json" && (mediaType != "text/plain" || !slices.Contains(plainFields, name)) {
				wrong.Addf(clip(name, 200), "is not a file of this request; send the picture as file")
				continue
			}
			value, err := readPart(part)
			if err != nil {
				return err
			}
			form.Value[name] = append(form.Value[name], value)
		}
		delete(form.File, name)
	}
	return wrong.Err()
}

// readPart reads what is not longer than a whole JSON body could be.
func readPart(part *multipart.FileHeader) (string, error) {
	if part.Size > maxBody {
		return "", uploadTooLarge()
	}
	file, err := part.Open()
	if err != nil {
		return "", fmt.Errorf("opening a part: %w", err)
	}
	defer file.Close()
	value, err := io.ReadAll(file)
	return string(value), err
}

var (
	// textFields are those that a form gives as they are; the others are JSON.
	textFields = []string{"image_url", "format", "callback_url"}
	// plainFields are those that the contract has as text/plain: what is neither a list nor an object (OpenAPI 3.1,
	// Encoding Object).
	plainFields = append(slices.Clone(textFields), "quality")
)

// formAsJSON writes the fields of a form as one JSON object, so that they are
// decoded and checked as if they had come as JSON. An empty field is one that
// was not filled in; one that is wrong is left out, too.
func formAsJSON(fields map[string][]string) ([]byte, error) {
	var wrong models.FieldErrors
	object := []byte("{")
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		key, err := jsontext.AppendQuote(nil, name)
		value, fault := formValue(name, fields[name])
		switch {
		case err != nil:
			wrong.Addf("file", "must not be accompanied by fields whose names are not UTF-8")
			continue
		case fault != "":
			wrong.Addf(clip(name, 200), "%s", fault)
			continue
		case value == nil:
			continue
		}
		if len(object) > 1 {
			object = append(object, ',')
		}
		object = append(append(append(object, key...), ':'), value...)
	}
	return append(object, '}'), wrong.Err()
}

// formValue is the JSON of a form's field, nil if it is empty; or what is wrong with it.
func formValue(name string, values []string) (value []byte, fault string) {
	switch {
	case len(values) > 1:
		return nil, "must be given once"
	case values[0] == "":
		return nil, ""
	case name == "file":
		return nil, "must be a file: its part of the form wants a filename"
	case !slices.Contains(textFields, name):
		if !jsontext.Value(values[0]).IsValid() {
			return nil, "must be JSON: a number as it is, a list in [], an object in {}, a text in quotes"
		}
		return []byte(values[0]), ""
	}
	value, err := jsontext.AppendQuote(nil, values[0])
	if err != nil {
		return nil, "must be UTF-8"
	}
	return value, ""
}

// formFile opens the form's file, which may be missing, even if something is wrong with it.
func formFile(form *multipart.Form) (multipart.File, error) {
	files := form.File["file"]
	if len(files) == 0 {
		return nil, nil
	}
	file, err := files[0].Open()
	switch {
	case err != nil:
		return nil, fmt.Errorf("opening an upload: %w", err)
	case len(files) > 1:
		return file, models.Invalid("file", "must be given once")
	case files[0].Size > maxUpload:
		return file, uploadTooLarge()
	case files[0].Size == 0:
		return file, models.Invalid("file", "must not be empty")
	}
	return file, nil
}
