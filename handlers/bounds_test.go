package handlers_test

import (
	"fmt"
	"testing"
	"time"

	"petstore/models"
)

// TestOrderThatCannotBePaid (security 17): an order whose total no payment could have is refused when it is made.
func TestOrderThatCannotBePaid(t *testing.T) {
	a := newAPI(t, settings{})
	for _, product := range []string{`"free","price":0,"currency":"USD"`, `"dear","price":99999999,"currency":"USD"`,
		`"fils","price":1234,"currency":"KWD"`, `"rupiah","price":999999999,"currency":"IDR"`} {
		a.do("POST", "/api/products", `{"name":"x","category":"x","slug":`+product+`}`).want(201)
	}
	for _, test := range []struct{ lines, field string }{
		{`"product":"free"`, "product"},
		{`"items":[{"product":"free","quantity":2},{"product":"free"}]`, "items"},
		{`"product":"dear","quantity":2`, "product"},
		{`"items":[{"product":"dear"},{"product":"dog-leash"}]`, "items"},
		{`"product":"fils"`, "product"},
	} {
		a.do("POST", "/api/orders", "{"+test.lines+"}").want(422).names(test.field)
	}
	for _, lines := range []string{`"product":"dear"`, `"product":"fils","quantity":5`, `"product":"rupiah","quantity":1000`} {
		placed := read[struct {
			OrderID  string `json:"order_id"`
			Total    int64  `json:"total"`
			Currency string `json:"currency"`
		}](a.do("POST", "/api/orders", "{"+lines+"}").want(202))
		payment := fmt.Sprintf(`{"amount":%d,"currency":%q,"order_id":%q,"provider":"stripe"}`, placed.Total, placed.Currency, placed.OrderID)
		a.do("POST", "/api/payments", payment).want(202)
	}
}

// TestStockComesBackWithinBounds (security 17): what a cancelled order gives back does not make a product that
// no client could change any more.
func TestStockComesBackWithinBounds(t *testing.T) {
	a := newAPI(t, settings{step: time.Hour})
	receiver := newReceiver(t)
	a.start()
	placed := read[order](a.do("POST", "/api/orders", `{"product":"dog-food","quantity":1000,"callback_url":"`+receiver.url+`"}`).want(202))
	receiver.wait(t, count(1)) // the stock is taken
	a.do("PATCH", "/api/products/dog-food", fmt.Sprintf(`{"stock":%d}`, models.MaxStock+1)).want(422).names("stock")
	a.do("PATCH", "/api/products/dog-food", fmt.Sprintf(`{"stock":%d}`, models.MaxStock-1)).want(200)
	a.do("POST", "/api/orders/"+placed.OrderID+"/cancel", "").want(200)
	got := read[struct{ Stock int64 }](a.do("PATCH", "/api/products/dog-food", `{"name":"Dog food"}`).want(200))
	if got.Stock != models.MaxStock {
		t.Errorf("%d in stock, want %d", got.Stock, models.MaxStock)
	}
}
