package handlers

import (
	"context"
	"fmt"
	"io"

	"github.com/gin-gonic/gin"

	"petstore/callbacks"
	"petstore/models"
)

type images interface {
	Create(ctx context.Context, img models.Image, file io.Reader) (models.Image, error)
	Get(ctx context.Context, id string) (models.Image, error)
	List(ctx context.Context, f models.ImageFilter, page models.Page) (models.List[models.Image], error)
	Change(ctx context.Context, id string, edit func(task *models.Task) error) (models.Image, error)
	Cancel(ctx context.Context, id string) (models.Image, error)
	Delete(ctx context.Context, id string) error
	Open(ctx context.Context, id, variant string) (models.ImageVariant, io.ReadSeekCloser, error)
}

type imageHandlers struct {
	images images
	tasks  tasks
	policy callbacks.Policy
}

// Images are the routes of images, and of the pictures made of them.
func Images(s images) Resource {
	return func(a *API) {
		h, g := imageHandlers{images: s, tasks: a.cfg.Tasks, policy: a.cfg.Policy}, a.group("/api/images").tagged("image_id", tagOf(s.Get, showImage))
		g.get("", h.list)
		g.post("/process", h.create)
		g.get("/:image_id", h.get)
		g.put("/:image_id", h.replace)
		g.patch("/:image_id", h.patch)
		g.delete("/:image_id", h.delete)
		g.post("/:image_id/cancel", h.cancel)
		g.get("/:image_id/:variant", h.getVariant)
		a.starters[callbacks.KindImage.Name] = h.start
	}
}

// imageRequest asks for an image to be processed.
type imageRequest struct {
	// Where the image is.
	ImageURL string `json:"image_url,omitempty" format:"uri" maxLength:"2048" example:"https://example.com/cat.jpg"`
	// What to do to it, in this order. It makes one picture, called processed.
	Operations []imageOperation `json:"operations,omitempty" validate:"max=10,dive" minItems:"1"`
	// What to write pictures as. Without it photographs stay JPEG, and the rest becomes PNG.
	Format string `json:"format,omitempty" validate:"omitempty,oneof=jpeg png gif" example:"jpeg"`
	// Of JPEG pictures; 100 is the best.
	Quality *int `json:"quality,omitempty" validate:"omitempty,min=1,max=100" default:"85" example:"85"`
	callback
}

// imageChange is what can be changed of an image that is processing.
type imageChange struct { //nolint:unused // read by the contract's generator
	callback
}

// image is an image as the API shows it.
type image struct {
	// Its id, for GET /api/images/{image_id}.
	ImageID string `json:"image_id" example:"img_0199f2a0c1d27d3ea4b5c6d7e8f90123"`
	taskHead
	// Where it was fetched from, null for an upload.
	ImageURL *string `json:"image_url" extensions:"x-nullable" example:"https://example.com/cat.jpg"`
	// What was asked for; empty for the thumbnails.
	Operations []imageOperation `json:"operations"`
	// What the pictures are written as, null for what suits them.
	Format *string `json:"format" extensions:"x-nullable" example:"jpeg"`
	// Of JPEG pictures, null for the default; 100 is the best.
	Quality *int `json:"quality" extensions:"x-nullable" example:"85"`
	// The pictures, once they are made.
	Variants []imageVariant `json:"variants"`
	taskTail
}

func showImage(i models.Image) image {
	return image{
		ImageID: i.ID, taskHead: showHead(i.Task),
		ImageURL:   nullable(i.ImageURL),
		Operations: mapItems(i.Operations, func(op models.ImageOperation) imageOperation { return imageOperation(op) }),
		Format:     nullable(i.Format), Quality: nullable(i.Quality),
		Variants: mapItems(i.Variants, func(v models.ImageVariant) imageVariant {
			return imageVariant{Name: v.Name, URL: "/api/images/" + v.ImageID + "/" + v.Name, ContentType: v.ContentType, Width: v.Width, Height: v.Height, Size: v.Size}
		}),
		taskTail: showTail(i.Task, i.CreatedAt, i.Task.UpdatedAt),
	}
}

// check says what the validate tags cannot; decoded is what decoding the request has found.
func (r imageRequest) check(file io.Reader, policy callbacks.Policy, decoded error) (models.Image, error) {
	n := models.Image{ImageURL: r.ImageURL, Format: r.Format}
	var wrong models.FieldErrors
	switch {
	case r.ImageURL == "" && file == nil:
		wrong.Addf("image_url", "is required, or a file in a form (multipart/form-data)")
	case r.ImageURL != "" && file != nil:
		wrong.Addf("image_url", "must not be given together with file")
	case r.ImageURL != "":
		if err := callbacks.CheckURL(r.ImageURL, policy); err != nil {
			wrong.Addf("image_url", "%s", err)
		}
	}
	if r.Operations != nil && len(r.Operations) == 0 {
		wrong.Addf("operations", "must have at least one entry; leave it out for thumbnails")
	}
	for i, op := range r.Operations {
		op.check(fmt.Sprintf("operations[%d].", i), &wrong)
		n.Operations = append(n.Operations, models.ImageOperation(op))
	}
	if r.Quality != nil {
		n.Quality = *r.Quality
		if r.Format != "" && r.Format != "jpeg" {
			wrong.Addf("quality", "is of JPEG only")
		}
	}
	var taskErr error
	n.Task, taskErr = r.task(callbacks.KindImage, policy)
	return n, invalid(r, decoded, wrong.Err(), taskErr)
}

// @Summary     Process an image
// @Description Answers at once; progress and outcome are POSTed to `callback_url`. Name the image by `image_url`, or upload it as `file` of a form (multipart/form-data). JPEG, PNG, GIF (its first frame) and WebP of up to 20 MiB and 25 megapixels are taken. Without `operations`, thumbnails are made: large, medium and small, of at most 1280, 640 and 160 pixels on a side. Pictures are put upright, and carry no metadata.
// @ID          processImage
// @Tags        images
// @Param       image body imageRequest true "Which image, what to make of it, and whom to tell"
// @Success     202 {object} image "Accepted: it is being processed"
// @x-callback  "imageUpdate"
// @Router      /api/images/process [post]
func (h imageHandlers) create(c *gin.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	request, file, err := readImageRequest(c)
	if file != nil {
		defer file.Close()
	}
	n, err := request.check(file, h.policy, err)
	if err != nil {
		return err
	}
	a, err := h.begin(c.Request.Context(), n, file)
	if err != nil {
		return err
	}
	return respondAccepted(c, h.tasks, a)
}

// start is the taskStarter of images on the web.
func (h imageHandlers) start(ctx context.Context, body []byte) (startedTask, error) {
	var request imageRequest
	err := unmarshal(body, &request)
	n, err := request.check(nil, h.policy, err)
	if err != nil {
		return startedTask{}, err
	}
	return h.begin(ctx, n, nil)
}

func (h imageHandlers) begin(ctx context.Context, img models.Image, file io.Reader) (startedTask, error) {
	i, err := h.images.Create(ctx, img, file)
	if err != nil {
		return startedTask{}, err
	}
	return started(i.TaskID, "/api/images", i.ID, i, h.images.Get, showImage), nil
}

// @Summary     List images
// @Description Newest first.
// @ID          listImages
// @Tags        images
// @Param       status    query string false "Only with this status" Enums(processing, completed, failed, cancelled)
// @Param       image_url query string false "Only those fetched from this URL" maxlength(2048)
// @Success     200 {object} page[image]
// @Router      /api/images [get]
func (h imageHandlers) list(c *gin.Context) error {
	q := newQuery(c)
	filter := models.ImageFilter{Status: q.oneOf("status", taskStatuses...), ImageURL: q.text("image_url", 2048)}
	return servePage(c, q, h.images.List, filter, showImage)
}

// @Summary     Get an image
// @ID          getImage
// @Tags        images
// @Param       image_id path string true "Its id"
// @Success     200 {object} image
// @Router      /api/images/{image_id} [get]
func (h imageHandlers) get(c *gin.Context) error {
	return serveOne(c, "image_id", h.images.Get, showImage)
}

// @Summary     Replace whom an image tells, and with which metadata
// @Description Only while it is processing. What is made of it does not change.
// @ID          replaceImage
// @Tags        images
// @Param       image_id path string      true "Its id"
// @Param       image    body imageChange true "What to replace"
// @Success     200 {object} image
// @Failure     409 {object} problem "The image has been processed"
// @Router      /api/images/{image_id} [put]
func (h imageHandlers) replace(c *gin.Context) error {
	return changeCallback(c, "image_id", h.images.Change, showImage, callbacks.KindImage, h.policy)
}

// @Summary     Change whom an image tells, or its metadata
// @Description A JSON merge patch (RFC 7396). Only while the image is processing.
// @ID          patchImage
// @Tags        images
// @Accept      json
// @Accept      application/merge-patch+json
// @Param       image_id path string      true "Its id"
// @Param       patch    body imageChange true "What to change"
// @Success     200 {object} image
// @Failure     409 {object} problem "The image has been processed"
// @Router      /api/images/{image_id} [patch]
func (h imageHandlers) patch(c *gin.Context) error {
	return changeCallback(c, "image_id", h.images.Change, showImage, callbacks.KindImage, h.policy)
}

// @Summary     Cancel the processing of an image
// @Description Its last update says that it was cancelled.
// @ID          cancelImage
// @Tags        images
// @Param       image_id path string true "Its id"
// @Success     200 {object} image
// @Failure     409 {object} problem "The image has been processed"
// @Router      /api/images/{image_id}/cancel [post]
func (h imageHandlers) cancel(c *gin.Context) error {
	return serveOne(c, "image_id", h.images.Cancel, showImage)
}

// @Summary     Remove an image
// @Description With all pictures that were made of it, and only once that has ended. Its task and its callbacks can still be looked up.
// @ID          deleteImage
// @Tags        images
// @Param       image_id path string true "Its id"
// @Success     204
// @Failure     409 {object} problem "The image is processing"
// @Router      /api/images/{image_id} [delete]
func (h imageHandlers) delete(c *gin.Context) error {
	return serveDelete(c, "image_id", h.images.Delete)
}
