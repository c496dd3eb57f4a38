package statistics

import (
	"math/big"
	"time"

	"petstore/services/report"
)

const (
	chartBars = 10  // bars of a chart, at the most
	chartDays = 400 // days of a chart, at the most; more of them are drawn as months
)

// charts draws the sales in one currency.
func (s *sales) charts(currency string, days, products, categories []saleGroup) []report.Chart {
	byDay := map[string]float64{}
	for _, day := range days {
		if day.key.currency == currency {
			byDay[day.key.name] = major(&day.value.revenue, currency)
		}
	}
	revenue := "Revenue in " + currency
	labels, values, unit := calendar(byDay)
	charts := []report.Chart{
		{Title: revenue + " by " + unit, Kind: report.Timeline, Labels: labels, Series: []report.Series{{Name: revenue, Values: values[0]}}},
		saleBars(revenue+" by product, highest first", currency, products, func(g saleGroup) string { return s.names[g.key.name] }),
		saleBars(revenue+" by category, highest first", currency, categories, func(g saleGroup) string { return g.key.name }),
	}
	return charts
}

// saleBars draws the groups with the highest revenue in a currency.
func saleBars(title, currency string, rows []saleGroup, label func(saleGroup) string) report.Chart {
	chart := report.Chart{Title: title, Kind: report.Bars, Series: []report.Series{{Name: "Revenue"}}}
	for _, row := range rows {
		if row.key.currency == currency && len(chart.Labels) < chartBars {
			chart.Labels = append(chart.Labels, label(row))
			chart.Series[0].Values = append(chart.Series[0].Values, major(&row.value.revenue, currency))
		}
	}
	return chart
}

// major is an amount in a currency's main unit, to be drawn.
func major(amount *big.Int, currency string) float64 {
	x, _ := new(big.Float).SetInt(amount).Float64()
	for range report.Decimals(currency) {
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
