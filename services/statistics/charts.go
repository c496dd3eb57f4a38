package statistics

import (
	"math/big"
	"slices"
	"time"

	"petstore/services/money"
	"petstore/services/report"
)

const (
	chartBars = 10  // bars of a chart, at the most
	chartDays = 400 // days of a chart, at the most; more of them are drawn as months
)

// charts draws the sales in one currency.
func (s *sales) charts(currency string, days, products, categories []saleGroup) []report.Chart {
	byDay := map[string]float64{}
	for _, day := range inCurrency(days, currency) {
		byDay[day.key.name] = major(&day.value.revenue, currency)
	}
	revenue := "Revenue in " + currency
	labels, values, unit := calendar(byDay)
	bar := func(g saleGroup, label string) (string, []float64) {
		return label, []float64{major(&g.value.revenue, currency)}
	}
	return []report.Chart{
		{Title: revenue + " by " + unit, Kind: report.Timeline, Labels: labels, Series: []report.Series{{Name: revenue, Values: values[0]}}},
		bars(revenue+" by product, highest first", chartBars, inCurrency(products, currency),
			func(g saleGroup) (string, []float64) { return bar(g, s.names[g.key.name]) }, "Revenue"),
		bars(revenue+" by category, highest first", chartBars, inCurrency(categories, currency),
			func(g saleGroup) (string, []float64) { return bar(g, g.key.name) }, "Revenue"),
	}
}

// bars draws the first rows, limit at most: draw says what a row is called, and its value in
// each of the series.
func bars[Row any](title string, limit int, rows []Row, draw func(Row) (string, []float64), series ...string) report.Chart {
	chart := report.Chart{Title: title, Kind: report.Bars, Series: make([]report.Series, len(series))}
	for i, name := range series {
		chart.Series[i].Name = name
	}
	for _, row := range rows[:min(len(rows), limit)] {
		label, values := draw(row)
		chart.Labels = append(chart.Labels, label)
		for i, value := range values {
			chart.Series[i].Values = append(chart.Series[i].Values, value)
		}
	}
	return chart
}

// inCurrency are the groups in one currency.
func inCurrency[T any](rows []group[saleKey, T], currency string) []group[saleKey, T] {
	return slices.DeleteFunc(slices.Clone(rows), func(g group[saleKey, T]) bool { return g.key.currency != currency })
}

// major is an amount in a currency's main unit, to be drawn.
func major(amount *big.Int, currency string) float64 {
	x, _ := new(big.Float).SetInt(amount).Float64()
	for range money.Decimals(currency) {
		x /= 10
	}
	return x
}

// calendar puts series of numbers by day on one axis of time, on which days
// without a number are 0. Unit is what a point stands for: day, or month where
// there would be too many.
func calendar(series ...map[string]float64) (labels []string, values [][]float64, unit string) {
	first, last := bounds(series)
	unit, layout := "day", time.DateOnly
	step := func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }
	if last.Sub(first) > chartDays*24*time.Hour {
		unit, layout = "month", "2006-01"
		first = time.Date(first.Year(), first.Month(), 1, 0, 0, 0, 0, time.UTC)
		step = func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }
	}
	place := map[string]int{}
	for t := first; !first.IsZero() && !t.After(last) && len(labels) < maxGroups; t = step(t) {
		place[t.Format(layout)] = len(labels)
		labels = append(labels, t.Format(layout))
	}
	values = make([][]float64, len(series))
	for i, byDay := range series {
		values[i] = make([]float64, len(labels))
		for day, value := range byDay {
			if at, ok := place[day[:min(len(day), len(layout))]]; ok {
				values[i][at] += value
			}
		}
	}
	return labels, values, unit
}

// bounds finds the first and the last day.
func bounds(series []map[string]float64) (first, last time.Time) {
	for _, byDay := range series {
		for day := range byDay {
			t, err := time.Parse(time.DateOnly, day)
			if err != nil {
				continue
			}
			if first.IsZero() || t.Before(first) {
				first = t
			}
			if t.After(last) {
				last = t
			}
		}
	}
	return first, last
}
