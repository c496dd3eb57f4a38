package handlers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"petstore/models"
)

// imageChange is what can be changed of an image that is processing.
type imageChange struct {
	Metadata    map[string]string `json:"metadata,omitempty"`
	CallbackURL string            `json:"callback_url,omitempty" format:"uri" maxLength:"2048" example:"http://127.0.0.1:9090/callbacks/image"`
}

// @Summary     Replace whom an image tells, and with which metadata
// @Description Only while it is processing. What is made of it does not change.
// @ID          replaceImage
// @Tags        images
// @Accept      json
// @Produce     json
// @Param       image_id path string      true "Its id"
// @Param       image    body imageChange true "What to replace"
// @Success     200 {object} image
// @Failure     400 {object} problem
// @Failure     403 {object} problem "The page's origin is not allowed"
// @Failure     404 {object} problem
// @Failure     409 {object} problem "The image has been processed"
// @Failure     413 {object} problem
// @Failure     415 {object} problem
// @Failure     422 {object} problem
// @Router      /api/images/{image_id} [put]
func (h imageHandlers) replace(c *gin.Context) error {
	request, err := decode[imageChange](c)
	if err != nil {
		return err
	}
	return h.change(c, func(imageChange) (imageChange, error) { return request, nil })
}

// @Summary     Change whom an image tells, or its metadata
// @Description A JSON merge patch (RFC 7396). Only while the image is processing.
// @ID          patchImage
// @Tags        images
// @Accept      json
// @Accept      application/merge-patch+json
// @Produce     json
// @Param       image_id path string      true "Its id"
// @Param       patch    body imageChange true "What to change"
// @Success     200 {object} image
// @Failure     400 {object} problem
// @Failure     403 {object} problem "The page's origin is not allowed"
// @Failure     404 {object} problem
// @Failure     409 {object} problem "The image has been processed"
// @Failure     413 {object} problem
// @Failure     415 {object} problem
// @Failure     422 {object} problem
// @Router      /api/images/{image_id} [patch]
func (h imageHandlers) patch(c *gin.Context) error {
	patch, err := readPatch[imageChange](c)
	if err != nil {
		return err
	}
	return h.change(c, func(now imageChange) (imageChange, error) { return mergePatch(patch, now) })
}

func (h imageHandlers) change(c *gin.Context, edit func(imageChange) (imageChange, error)) error {
	id, err := pathID(c, "image_id")
	if err != nil {
		return err
	}
	i, err := h.images.Change(c.Request.Context(), id, func(task *models.Task) error {
		to, err := edit(imageChange{Metadata: task.Metadata, CallbackURL: task.CallbackURL})
		if err != nil {
			return err
		}
		return changeTold(task, to.CallbackURL, to.Metadata, h.production)
	})
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, showImage(i))
}
