package statistics

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"gorm.io/gorm"

	"petstore/models"
	"petstore/services/report"
)

// callbackStats counts deliveries. A latency is the time from the update to the answer
// that says it was received, retries included.
type callbackStats struct {
	all      deliveryStats
	byStatus map[string]int64
	days     *groups[string, deliveryStats]
	hosts    *groups[string, deliveryStats]
	latency  *hdrhistogram.Histogram // in milliseconds
}

// deliveryStats is what became of deliveries.
type deliveryStats struct {
	deliveries, delivered, failed, attempts int64
	slowest                                 time.Duration
}

// maxLatency is the longest latency that is told apart: longer than all retries
// take. The histogram keeps three digits of each, in memory that does not grow.
const maxLatency = 30 * 24 * time.Hour

// Callbacks counts the deliveries of a period, and how fast they were.
func Callbacks(db *gorm.DB, d *report.Document, tell Step) error {
	p, err := period(d)
	if err != nil {
		return err
	}
	s := &callbackStats{
		byStatus: map[string]int64{}, days: newGroups[string, deliveryStats](), hosts: newGroups[string, deliveryStats](),
		latency: hdrhistogram.New(1, maxLatency.Milliseconds(), 3),
	}
	err = eachSpan(db, models.DeliveryRows, p, tell, func(span models.Span) error {
		return models.EachSent(db, p, span, s.add)
	})
	if err != nil {
		return err
	}
	s.write(d)
	return nil
}

func (s *callbackStats) add(d *models.Sent) {
	s.byStatus[d.Status]++
	var latency time.Duration
	if d.DeliveredAt != nil {
		latency = min(max(d.DeliveredAt.Sub(d.CreatedAt), 0), maxLatency)
		_ = s.latency.RecordValue(latency.Milliseconds()) // is in range
	}
	for _, w := range []*deliveryStats{&s.all, s.days.at(d.Day), s.hosts.at(receiverOf(d.URL))} {
		w.deliveries++
		w.attempts += d.Attempts
		w.slowest = max(w.slowest, latency)
		switch d.Status {
		case models.DeliveryDelivered:
			w.delivered++
		case models.DeliveryExhausted, models.DeliveryGone:
			w.failed++
		}
	}
}

// receiverOf is where a URL leads. The rest of it may hold a receiver's secret, and
// stays out of reports.
func receiverOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" {
		return "(unknown)"
	}
	return strings.ToLower(u.Host)
}

// settled is the number of deliveries that have succeeded or failed for good.
func (w *deliveryStats) settled() int64 { return w.delivered + w.failed }

func (s *callbackStats) write(d *report.Document) {
	d.Title = "Callbacks"
	days := s.days.sorted(func(a, b group[string, deliveryStats]) int { return cmp.Compare(a.key, b.key) })
	hosts := s.hosts.sorted(worstFirst)
	d.Summary = s.summary(d, hosts)
	d.Figures = []report.Figure{
		{Title: "Callbacks", Value: report.Count(s.all.deliveries)},
		{Title: "Delivered", Value: report.Percentage(s.all.delivered, s.all.settled())},
		{Title: "Attempts", Value: report.Count(s.all.attempts)},
		{Title: "Median latency", Value: s.quantile(50)},
		{Title: "99% within", Value: s.quantile(99)},
	}
	d.Notes = []string{
		"The success rate is of callbacks that were delivered or have failed for good; those still pending, and progress that newer news has overtaken, count in neither.",
		"Latency is the time from the event to the receiver's 2xx answer, retries included.",
	}
	d.Tables = []report.Table{
		s.statusTable(), s.latencyTable(),
		deliveryTable("by_host", "By host, worst first", "host", "Host", hosts, s.hosts.others),
		deliveryTable("by_day", "By day", "day", "Day", days, s.days.others),
	}
	if s.all.deliveries > 0 {
		d.Charts = []report.Chart{callbackDays(days), failingHosts(hosts)}
	}
}

// worstFirst puts the host first that has failed most of what was sent to it.
func worstFirst(a, b group[string, deliveryStats]) int {
	return cmp.Or(
		descending(a.value.failed*max(b.value.settled(), 1), b.value.failed*max(a.value.settled(), 1)),
		descending(a.value.failed, b.value.failed),
		descending(a.value.attempts-a.value.deliveries, b.value.attempts-b.value.deliveries),
		cmp.Compare(a.key, b.key),
	)
}

func (s *callbackStats) summary(d *report.Document, hosts []group[string, deliveryStats]) string {
	if s.all.deliveries == 0 {
		return "No callbacks were sent " + inPeriod(d) + "."
	}
	text := report.Plural(s.all.deliveries, "callback", "callbacks") + " " + inPeriod(d)
	if s.all.settled() > 0 {
		text += ": " + report.Percentage(s.all.delivered, s.all.settled()) + " of the settled ones were delivered"
	}
	if s.all.delivered > 0 {
		text += fmt.Sprintf(", half of them within %s and 99%% within %s", s.quantile(50), s.quantile(99))
	}
	if worst := hosts[0]; worst.value.failed > 0 {
		text += fmt.Sprintf(". The worst host is %s, where %s of %s failed", worst.key, report.Count(worst.value.failed), report.Count(worst.value.settled()))
	}
	return text + "."
}

// quantile is a percentile of the latency as people read it.
func (s *callbackStats) quantile(q float64) string {
	if s.latency.TotalCount() == 0 {
		return "–"
	}
	d := time.Duration(s.latency.ValueAtQuantile(q)) * time.Millisecond
	switch {
	case d >= time.Hour:
		return d.Round(time.Minute).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

func (s *callbackStats) statusTable() report.Table {
	t := report.Table{Name: "by_status", Title: "By status", Columns: []report.Column{
		{Name: "status", Title: "Status", Kind: report.Text},
		{Name: "deliveries", Title: "Callbacks", Kind: report.Integer},
		{Name: "share", Title: "Share", Kind: report.Percent},
	}}
	for _, status := range []string{
		models.DeliveryDelivered, models.DeliveryPending, models.DeliverySuperseded, models.DeliveryExhausted, models.DeliveryGone,
	} {
		n := s.byStatus[status]
		t.Rows = append(t.Rows, []string{status, strconv.FormatInt(n, 10), report.Share(n, s.all.deliveries)})
	}
	return t
}

func (s *callbackStats) latencyTable() report.Table {
	t := report.Table{Name: "latency", Title: "Latency", Columns: []report.Column{
		{Name: "percentile", Title: "Percentile", Kind: report.Decimal},
		{Name: "latency_ms", Title: "Milliseconds", Kind: report.Integer},
	}}
	if s.latency.TotalCount() == 0 {
		return t
	}
	for _, q := range []float64{50, 75, 90, 95, 99, 99.9} {
		t.Rows = append(t.Rows, []string{report.Number(q), strconv.FormatInt(s.latency.ValueAtQuantile(q), 10)})
	}
	t.Rows = append(t.Rows, []string{"100", strconv.FormatInt(s.all.slowest.Milliseconds(), 10)})
	return t
}

func deliveryTable(name, title, keyName, keyTitle string, rows []group[string, deliveryStats], others *deliveryStats) report.Table {
	t := report.Table{Name: name, Title: title, Columns: []report.Column{
		{Name: keyName, Title: keyTitle, Kind: report.Text},
		{Name: "deliveries", Title: "Callbacks", Kind: report.Integer},
		{Name: "delivered", Title: "Delivered", Kind: report.Integer},
		{Name: "failed", Title: "Failed", Kind: report.Integer},
		{Name: "success_rate", Title: "Success rate", Kind: report.Percent},
		{Name: "attempts", Title: "Attempts", Kind: report.Integer},
		{Name: "slowest_ms", Title: "Slowest, ms", Kind: report.Integer},
	}}
	if others != nil {
		rows = append(rows, group[string, deliveryStats]{"(others)", others})
	}
	for _, row := range rows {
		w := row.value
		slowest := ""
		if w.delivered > 0 {
			slowest = strconv.FormatInt(w.slowest.Milliseconds(), 10)
		}
		t.Rows = append(t.Rows, []string{
			row.key, strconv.FormatInt(w.deliveries, 10), strconv.FormatInt(w.delivered, 10), strconv.FormatInt(w.failed, 10),
			report.Share(w.delivered, w.settled()), strconv.FormatInt(w.attempts, 10), slowest,
		})
	}
	return t
}

func callbackDays(days []group[string, deliveryStats]) report.Chart {
	delivered, failed := map[string]float64{}, map[string]float64{}
	for _, day := range days {
		delivered[day.key], failed[day.key] = float64(day.value.delivered), float64(day.value.failed)
	}
	labels, values, unit := calendar(delivered, failed)
	return report.Chart{Title: "Callbacks by " + unit, Kind: report.Timeline, Labels: labels, Series: []report.Series{
		{Name: "Delivered", Values: values[0]}, {Name: "Failed", Values: values[1], Failures: true},
	}}
}

func failingHosts(hosts []group[string, deliveryStats]) report.Chart {
	chart := bars("Callbacks by host, worst first", chartBars, hosts,
		func(host group[string, deliveryStats]) (string, []float64) {
			return host.key, []float64{float64(host.value.delivered), float64(host.value.failed)}
		}, "Delivered", "Failed")
	chart.Series[1].Failures = true
	return chart
}
