package handlers

import (
	"context"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"petstore/callbacks"
	"petstore/models"
)

type reports interface {
	Create(ctx context.Context, r models.Report) (models.Report, error)
	Get(ctx context.Context, id string) (models.Report, error)
	List(ctx context.Context, f models.ReportFilter, page models.Page) (models.List[models.Report], error)
	Delete(ctx context.Context, id string) error
	Download(ctx context.Context, id, format string) ([]byte, error)
}

type reportHandlers struct {
	reports reports
	tasks   tasks
	policy  callbacks.Policy
}

// Reports are the routes of reports.
func Reports(s reports) Resource {
	return func(a *API) {
		h, g := reportHandlers{reports: s, tasks: a.cfg.Tasks, policy: a.cfg.Policy}, a.group("/api/reports").tagged("report_id", tagOf(s.Get, showReport))
		g.get("", h.list)
		g.post("", h.create)
		g.get("/:report_id", h.get)
		g.delete("/:report_id", h.delete)
		g.get("/:report_id/download", h.download)
		a.starters[callbacks.KindReport.Name] = h.start
	}
}

var reportTypes = []string{models.ReportSales, models.ReportInventory, models.ReportCallbacks, models.ReportDataset}

// reportRequest asks for a report.
type reportRequest struct {
	// What to report on: what was ordered and paid, what is in stock, how callbacks fared, or the `data` of this request.
	Type string `json:"type" validate:"required,oneof=sales inventory callbacks dataset" example:"sales"`
	// The first day to report on, in UTC; for `sales` and `callbacks`.
	From string `json:"from,omitempty" format:"date" example:"2026-01-01"`
	// The last day to report on, in UTC; for `sales` and `callbacks`.
	To string `json:"to,omitempty" format:"date" example:"2026-12-31"`
	// What a `dataset` report profiles: a text with CSV, JSON or anything else in it, or a JSON array or object.
	Data jsontext.Value `json:"data,omitempty" swaggertype:"object"`
	callback
}

// report is a report as the API shows it. What it says is downloaded.
type report struct {
	// Its id, for GET /api/reports/{report_id}.
	ReportID string `json:"report_id" example:"rpt_0199f2a0c1d27d3ea4b5c6d7e8f90123"`
	// What it reports on.
	Type string `json:"type" enums:"sales,inventory,callbacks,dataset" example:"sales"`
	taskHead
	// The first day it covers, null for the beginning.
	From *string `json:"from" format:"date" extensions:"x-nullable" example:"2026-01-01"`
	// The last day it covers, null for today.
	To *string `json:"to" format:"date" extensions:"x-nullable" example:"2026-12-31"`
	taskTail
}

func showReport(r models.Report) report {
	return report{
		ReportID: r.ID, Type: r.Type, taskHead: showHead(r.Task),
		From: nullable(r.FromDay), To: nullable(r.ToDay), taskTail: showTail(r.Task, r.CreatedAt, r.UpdatedAt),
	}
}

// checkDays checks the period: days that exist, the first not after the last.
func (r reportRequest) checkDays() error {
	var wrong models.FieldErrors
	for field, day := range map[string]string{"from": r.From, "to": r.To} {
		_, err := time.Parse(time.DateOnly, day)
		switch {
		case day == "":
		case r.Type == models.ReportInventory || r.Type == models.ReportDataset:
			wrong.Addf(field, "is for reports on sales and callbacks only")
		case err != nil || day < "1970":
			wrong.Addf(field, "must be a day such as 2026-01-31, in 1970 or later")
		}
	}
	if wrong == nil && r.From != "" && r.To != "" && r.From > r.To {
		wrong.Addf("to", "must not be before from")
	}
	return wrong.Err()
}

// text is the data of a dataset: what a string says, or an array or object as
// it is.
func (r reportRequest) text() (string, error) {
	if r.Type != models.ReportDataset {
		if r.Data != nil && slices.Contains(reportTypes, r.Type) {
			return "", models.Invalid("data", "is for a report on a dataset only")
		}
		return "", nil
	}
	switch r.Data.Kind() {
	case '[', '{':
		return string(r.Data), nil
	case '"':
		text, err := jsontext.AppendUnquote(nil, r.Data)
		if err != nil || len(text) == 0 {
			return "", models.Invalid("data", "must not be empty")
		}
		return string(text), nil
	case jsontext.KindInvalid: // there is none
		return "", models.Invalid("data", "is required for a report on a dataset")
	default:
		return "", models.Invalid("data", "must be a text, an array or an object")
	}
}

// @Summary     Ask for a report
// @Description Answers at once; progress and outcome are POSTed to `callback_url`. The report shows the database at one moment, however long it takes to make.
// @ID          createReport
// @Tags        reports
// @Param       report body   reportRequest true  "What to report on, and whom to tell"
// @Success     202 {object} report "Accepted: it is being made"
// @x-callback  "reportUpdate"
// @Router      /api/reports [post]
func (h reportHandlers) create(c *gin.Context) error { return createTask(c, h.tasks, h.start) }

// start is the taskStarter of reports.
func (h reportHandlers) start(ctx context.Context, body []byte) (startedTask, error) {
	var request reportRequest
	err := unmarshal(body, &request)
	data, dataErr := request.text()
	task, taskErr := request.task(callbacks.KindReport, h.policy)
	if err := invalid(request, err, request.checkDays(), dataErr, taskErr); err != nil {
		return startedTask{}, err
	}
	r, err := h.reports.Create(ctx, models.Report{
		Type: request.Type, FromDay: request.From, ToDay: request.To, Data: data,
		Task: task,
	})
	if err != nil {
		return startedTask{}, err
	}
	return started(r.TaskID, "/api/reports", r.ID, r, h.reports.Get, showReport), nil
}

// @Summary     List reports
// @Description Newest first.
// @ID          listReports
// @Tags        reports
// @Param       type   query string false "Only of this type" Enums(sales, inventory, callbacks, dataset)
// @Param       status query string false "Only with this status" Enums(processing, completed, failed, cancelled)
// @Success     200 {object} page[report]
// @Router      /api/reports [get]
func (h reportHandlers) list(c *gin.Context) error {
	q := newQuery(c)
	filter := models.ReportFilter{Type: q.oneOf("type", reportTypes...), Status: q.oneOf("status", taskStatuses...)}
	return servePage(c, q, h.reports.List, filter, showReport)
}

// @Summary     Get a report
// @ID          getReport
// @Tags        reports
// @Param       report_id path string true "Its id"
// @Success     200 {object} report
// @Router      /api/reports/{report_id} [get]
func (h reportHandlers) get(c *gin.Context) error {
	return serveOne(c, "report_id", h.reports.Get, showReport)
}

// @Summary     Remove a report
// @Description One that is processing is cancelled, and its last update says so. Its task and its callbacks can still be looked up.
// @ID          deleteReport
// @Tags        reports
// @Param       report_id path string true "Its id"
// @Success     204
// @Router      /api/reports/{report_id} [delete]
func (h reportHandlers) delete(c *gin.Context) error {
	return serveDelete(c, "report_id", h.reports.Delete)
}
