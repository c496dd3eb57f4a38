package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"

	"github.com/go-analyze/charts"
)

// Sizes of charts, in pixels of the SVG, which scales.
const (
	chartWidth  = 860
	chartHeight = 300 // of those over time
	barHeight   = 26  // of each lying bar
	barsPadding = 90  // legend and axis
	labelLength = 28  // characters
	axisLabels  = 5   // more of them run into each other
	fewColumns  = 31  // up to which a chart over time has columns; a line through two days says little
)

// svg draws a chart. What comes out is text and shapes only, whose labels the
// library escapes: it can stand in a page as it is.
func (c Chart) svg() (template.HTML, error) {
	height := chartHeight
	if c.Kind == Bars {
		height = barsPadding + barHeight*len(c.Labels)
	}
	painter := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: chartWidth, Height: height})
	var err error
	if c.Kind == Timeline && len(c.Labels) > fewColumns {
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

// failureColor is that of what went wrong, which the theme would draw green.
var failureColor = charts.Color{R: 0xc5, G: 0x30, B: 0x30, A: 0xff}

func (c Chart) theme() charts.ColorPalette {
	theme := charts.GetTheme(charts.ThemeLight)
	colors := make([]charts.Color, len(c.Series))
	for i, series := range c.Series {
		colors[i] = theme.GetSeriesColor(i)
		if series.Failures {
			colors[i] = failureColor
		}
	}
	return theme.WithSeriesColors(colors)
}

func (c Chart) line() charts.LineChartOption {
	opt := charts.NewLineChartOptionWithData(c.values())
	opt.Theme = c.theme()
	opt.XAxis = c.categories()
	opt.YAxis = amounts()
	opt.Legend = c.legend()
	opt.FillArea = new(len(c.Series) == 1)
	opt.FillOpacity = 40
	opt.LineStrokeWidth = 2
	opt.Symbol = charts.Symbol{Shape: charts.SymbolNone}
	return opt
}

// bars draws lying bars, or columns over time. Those of several series stand on
// one another.
func (c Chart) bars() charts.BarChartOption {
	if c.Kind == Bars {
		c = c.reversed()
	}
	opt := charts.NewBarChartOptionWithData(c.values())
	opt.Theme = c.theme()
	opt.Horizontal = c.Kind == Bars
	opt.CategoryAxis = c.categories()
	opt.ValueAxis = amounts()
	opt.Legend = c.legend()
	opt.StackSeries = new(len(c.Series) > 1)
	for i := range opt.SeriesList {
		opt.SeriesList[i].Label = charts.SeriesLabel{Show: new(len(c.Series) == 1 && opt.Horizontal), ValueFormatter: short}
	}
	return opt
}

// reversed turns the order round: the library draws lying bars from below.
func (c Chart) reversed() Chart {
	c.Labels = slices.Clone(c.Labels)
	slices.Reverse(c.Labels)
	c.Series = slices.Clone(c.Series)
	for i := range c.Series {
		c.Series[i].Values = slices.Clone(c.Series[i].Values)
		slices.Reverse(c.Series[i].Values)
	}
	return c
}

// categories is the axis of labels: of days, only some.
func (c Chart) categories() charts.CategoryAxisOption {
	axis := charts.CategoryAxisOption{Labels: c.labels(), LabelFontStyle: charts.NewFontStyleWithSize(10)}
	if c.Kind == Timeline {
		axis.LabelCount = min(len(c.Labels), axisLabels)
		axis.BoundaryGap = new(true)
	}
	return axis
}

// amounts is the axis of values.
func amounts() []charts.ValueAxisOption {
	return []charts.ValueAxisOption{{Min: new(0.0), LabelCount: axisLabels, PreferNiceIntervals: new(true), ValueFormatter: short, LabelFontStyle: charts.NewFontStyleWithSize(10)}}
}

// legend names the series, if there is more than one to tell apart.
func (c Chart) legend() charts.LegendOption {
	legend := charts.LegendOption{Show: new(len(c.Series) > 1)}
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
