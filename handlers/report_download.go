package handlers

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
)

// downloads are the formats of a report: how each is sent, and whether a browser
// shows it or saves it.
var downloads = map[string]struct{ mediaType, disposition string }{
	"json": {"application/json; charset=utf-8", "inline"},
	"csv":  {"text/csv; charset=utf-8; header=present", "attachment"},
	"xlsx": {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "attachment"},
	"html": {"text/html; charset=utf-8", "inline"},
}

// pagePolicy lets a report's page have its own style and nothing else
// (https://www.w3.org/TR/CSP3/): names in it come from clients.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"

// @Summary     Download a report
// @Description `json` and `csv` are for programs, `xlsx` is a workbook, `html` a page with charts that prints well and needs nothing from elsewhere. In `csv` all tables are one, in which the column `table` tells them apart.
// @ID          downloadReport
// @Tags        reports
// @Produce     json
// @Produce     text/csv
// @Produce     application/vnd.openxmlformats-officedocument.spreadsheetml.sheet
// @Produce     text/html
// @Param       report_id path  string true  "Its id"
// @Param       format    query string false "In which format" Enums(json, csv, xlsx, html) default(json)
// @Success     200 {object} reportContent
// @Header      200 {string} Content-Disposition "The file's name"
// @Failure     404 {object} problem
// @Failure     409 {object} problem "The report is not completed"
// @Failure     422 {object} problem
// @Router      /api/reports/{report_id}/download [get]
func (h reportHandlers) download(c *gin.Context) error {
	q := newQuery(c)
	format := q.oneOf("format", "json", "csv", "xlsx", "html")
	if err := q.done(); err != nil {
		return err
	}
	id, err := validID(c, "report_id")
	if err != nil {
		return err
	}
	if format == "" {
		format = "json"
	}
	content, err := h.reports.Download(c.Request.Context(), id, format)
	if err != nil {
		return err
	}
	as := downloads[format]
	c.Header("Content-Disposition", fmt.Sprintf(`%s; filename="%s.%s"`, as.disposition, id, format))
	c.Header("Content-Security-Policy", pagePolicy)
	c.Header("X-Content-Type-Options", "nosniff")
	c.Data(http.StatusOK, as.mediaType, content)
	return nil
}

// reportUpdate documents a callback: docs/overlay.yaml moves it under the
// operation that causes it.
//
// @Summary     What a report has to tell
// @Description The server POSTs each update of the report to `callback_url`: at least once, in order, signed. Any 2xx answer says that it was received.
// @ID          reportUpdate
// @Tags        reports
// @Accept      json
// @Param       update body callbacks.Update true "The update"
// @Success     200 "Received"
// @Failure     403 {object} problem "The page's origin is not allowed"
// @Failure     410 "Gone: this update is not sent again"
// @Router      /callbacks-sent/report-update [post]
func reportUpdate() {} //nolint:unused // read by the contract's generator
