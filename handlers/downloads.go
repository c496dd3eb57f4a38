package handlers

import (
	"fmt"
	"net/http"
	"time"

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

// reportContent is what a report says.
type reportContent struct { //nolint:unused // read by the contract's generator
	// The report's id.
	ReportID string `json:"report_id"`
	// What it reports on.
	Type string `json:"type" enums:"sales,inventory,callbacks,dataset"`
	// What a page of it is headed with.
	Title string `json:"title"`
	// What comes of it, in a sentence.
	Summary string `json:"summary"`
	// The first day it covers, null for the beginning.
	From *string `json:"from" format:"date" extensions:"x-nullable"`
	// The last day it covers, null for today.
	To *string `json:"to" format:"date" extensions:"x-nullable"`
	// The moment whose state it shows.
	AsOf time.Time `json:"as_of" format:"date-time"`
	// What a reader should know of the figures.
	Notes []string `json:"notes"`
	// Rows by the table's name. Money is in the currency's smallest unit, shares are from 0 to 1.
	Tables map[string][]map[string]any `json:"tables" swaggertype:"object"`
}

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
// @Success     200 {object} reportContent "The report, in the format asked for"
// @Header      200 {string} Content-Disposition "The file's name"
// @Failure     409 {object} problem "The report is not completed"
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
	content, err := makeLarge(c, func() ([]byte, error) { return h.reports.Download(c.Request.Context(), id, format) })
	if err != nil {
		return err
	}
	as := downloads[format]
	c.Header("Content-Disposition", fmt.Sprintf(`%s; filename="%s.%s"`, as.disposition, id, format))
	c.Header("Content-Security-Policy", pagePolicy)
	c.Header("X-Content-Type-Options", "nosniff")
	return answer(c, http.StatusOK, as.mediaType, content)
}
