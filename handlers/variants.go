package handlers

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
)

// imageVariant is one picture that was made.
type imageVariant struct {
	// Which picture it is: large, medium and small are the thumbnails, processed is what operations made.
	Name string `json:"name" enums:"large,medium,small,processed" example:"small"`
	// A path on this server. It can be the image_url of a product.
	URL string `json:"url" example:"/api/images/img_0199f2a0c1d27d3ea4b5c6d7e8f90123/small"`
	// Its media type.
	ContentType string `json:"content_type" enums:"image/jpeg,image/png,image/gif" example:"image/jpeg"`
	// In pixels.
	Width int `json:"width" minimum:"1" example:"160"`
	// In pixels.
	Height int `json:"height" minimum:"1" example:"120"`
	// In bytes.
	Size int64 `json:"size" minimum:"1" example:"5321"`
}

// @Summary     Get a picture
// @Description One that was made of an image. It does not change, so it can be cached; parts of it can be asked for.
// @ID          getImageVariant
// @Tags        images
// @Produce     image/jpeg
// @Produce     image/png
// @Produce     image/gif
// @Param       image_id      path   string true  "The image's id"
// @Param       variant       path   string true  "Which picture" Enums(large, medium, small, processed)
// @Param       Range         header string false "Which part of it (RFC 9110)" example(bytes=0-1023)
// @Param       If-Range      header string false "ETag of the picture that you have a part of: if it is another one, all of it comes"
// @Param       If-None-Match header string false "ETag of the picture that you have"
// @Param       If-Match      header string false "ETag of the picture that you want a part of: if it is another one, the answer is 412"
// @Success     200 {file} binary "The picture"
// @Success     206 {file} binary "The part of it that was asked for"
// @Success     304 "You have it"
// @Failure     412 {object} problem "The picture has another ETag"
// @Failure     416 {object} problem "There is no such part"
// @Header      200,206,304 {string} ETag "Of its bytes"
// @Header      200,206,304 {string} Cache-Control "How long it can be cached"
// @Header      200,206,304,416 {string} Content-Disposition "inline, and a file's name"
// @Header      200,206,304,416 {string} Last-Modified "When it was made"
// @Header      200,206 {string} Accept-Ranges "bytes"
// @Header      206,416 {string} Content-Range "Which part it is, or how large the whole"
// @Router      /api/images/{image_id}/{variant} [get]
func (h imageHandlers) getVariant(c *gin.Context) error {
	id, err := pathID(c, "image_id")
	if err != nil {
		return err
	}
	name, err := pathID(c, "variant")
	if err != nil {
		return err
	}
	variant, content, err := h.images.Open(c.Request.Context(), id, name)
	if err != nil {
		return err
	}
	defer content.Close()
	header := c.Writer.Header()
	header.Set("Content-Type", variant.ContentType)
	header.Set("ETag", `"`+variant.SHA256+`"`)
	header.Set("Cache-Control", "public, max-age=86400, immutable") // a day, lest what was deleted stay for ever
	header.Set("Content-Disposition", `inline; filename="`+id+"-"+name+"."+strings.TrimPrefix(variant.ContentType, "image/")+`"`)
	// Whatever the bytes may look like to a browser: it is a picture, and no page.
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	normaliseRange(c.Request)
	w := &foreignWriter{ResponseWriter: c.Writer}
	http.ServeContent(w, c.Request, "", variant.CreatedAt, content)
	return w.err(c.Request)
}

// normaliseRange mends what http.ServeContent does not know of ranges (RFC 9110, section 14): another unit than bytes is
// ignored, units have no case, and the last 0 bytes are no range.
func normaliseRange(r *http.Request) {
	unit, ranges, _ := strings.Cut(r.Header.Get("Range"), "=")
	if !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		r.Header.Del("Range")
		return
	}
	var satisfiable []string
	for part := range strings.SplitSeq(ranges, ",") {
		if suffix, last := strings.CutPrefix(strings.TrimSpace(part), "-"); !last || strings.Trim(suffix, "0") != "" || suffix == "" {
			satisfiable = append(satisfiable, part)
		}
	}
	if satisfiable == nil {
		satisfiable = []string{strconv.FormatInt(math.MaxInt64, 10) + "-"}
	}
	r.Header.Set("Range", "bytes="+strings.Join(satisfiable, ","))
}
