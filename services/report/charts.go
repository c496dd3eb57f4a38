package report

import (
	"fmt"
	"html/template"
	"math"
	"strconv"

	"github.com/go-analyze/charts"
)

// Sizes of charts, in pixels of the SVG, which scales.
const (
	chartWidth  = 860
	lineHeight  = 300
	barHeight   = 26 // for each bar
	barsPadding = 90 // title and axis
	labelLength = 28 // characters
)

// svg draws a chart. What comes out is text and shapes only, whose labels the
// library escapes: it can stand in a page as it is.
func (c Chart) svg() (template.HTML, error) {
	painter := charts.NewPainter(charts.PainterOptions{
		OutputFormat: charts.ChartOutputSVG, Width: chartWidth, Height: c.height(),
	})
	var err error
	if c.Kind == Line {
		err = painter.LineChart(c.line())
	} else {
		err = painter.BarChart(c.bars())
	}
	if err != nil {
		return "", fmt.Errorf("drawing the chart %q: %w", c.Title, err)
	}
	content, err := painter.Bytes()
	if err != nil {
		return "", fmt.Errorf("drawing the chart %q: %w", c.Title, err)
	}
	return template.HTML(content), nil //nolint:gosec // see above; a test holds it
}

func (c Chart) height() int {
	if c.Kind == Line {
		return lineHeight
	}
	return barsPadding + barHeight*len(c.Labels)*len(c.Series)
}

func (c Chart) line() charts.LineChartOption {
	opt := charts.NewLineChartOptionWithData(c.values())
	opt.Theme = charts.GetTheme(charts.ThemeLight)
	opt.XAxis.Labels = c.labels()
	opt.XAxis.LabelCount = min(len(c.Labels), 8)
	opt.Legend = c.legend()
	opt.FillArea = charts.Ptr(len(c.Series) == 1)
	opt.FillOpacity = 40
	opt.LineStrokeWidth = 2
	opt.YAxis = []charts.YAxisOption{{Min: charts.Ptr(0.0), ValueFormatter: short}}
	opt.ValueFormatter = short
	if len(c.Labels) > 1 {
		opt.Symbol = charts.Symbol{Shape: charts.SymbolNone}
	}
	return opt
}

func (c Chart) bars() charts.BarChartOption {
	opt := charts.NewBarChartOptionWithData(c.values())
	opt.Theme = charts.GetTheme(charts.ThemeLight)
	opt.Horizontal = true
	opt.CategoryAxis.Labels = c.labels()
	opt.Legend = c.legend()
	opt.ValueAxis = []charts.ValueAxisOption{{Min: charts.Ptr(0.0), ValueFormatter: short}}
	opt.ValueFormatter = short
	for i := range opt.SeriesList {
		opt.SeriesList[i].Label.Show = charts.Ptr(true)
	}
	return opt
}

// legend names the series, if there is more than one to tell apart.
func (c Chart) legend() charts.LegendOption {
	legend := charts.LegendOption{Show: charts.Ptr(len(c.Series) > 1)}
	for _, series := range c.Series {
		legend.SeriesNames = append(legend.SeriesNames, series.Name)
	}
	return legend
}

func (c Chart) labels() []string {
	labels := make([]string, len(c.Labels))
	for i, label := range c.Labels {
		labels[i] = Clip(label, labelLength)
	}
	return labels
}

func (c Chart) values() [][]float64 {
	values := make([][]float64, len(c.Series))
	for i, series := range c.Series {
		values[i] = series.Values
	}
	return values
}

// short writes a number in few characters: 950, 1.2k, 3.4M.
func short(x float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(x) >= unit.size {
			return strconv.FormatFloat(math.Round(x/unit.size*10)/10, 'f', -1, 64) + unit.name
		}
	}
	return strconv.FormatFloat(math.Round(x*100)/100, 'f', -1, 64)
}
