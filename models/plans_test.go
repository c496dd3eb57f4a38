package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"testing"

	"gorm.io/gorm"

	"petstore/callbacks"
)

// recorder notes what is asked of a database.
type recorder struct {
	gorm.ConnPool
	asked map[string][]any // the arguments, by statement
}

func (r recorder) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	r.asked[query] = args
	return r.ConnPool.QueryContext(ctx, query, args...)
}

func (r recorder) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	r.asked[query] = args
	return r.ConnPool.QueryRowContext(ctx, query, args...)
}

func (r recorder) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	r.asked[query] = args
	return r.ConnPool.ExecContext(ctx, query, args...)
}

// walk is a step of one of SQLite's plans that passes over rows without end: over a table, or an index, without a value
// that narrows it (https://www.sqlite.org/eqp.html).
var walk = regexp.MustCompile(`^(SCAN (tasks|t|orders|o|order_items|i|updates|u|deliveries|d|n|e|attempts|payments|p|refunds|r|images|reports|task_metadata|m|products)\b|SEARCH .*\([^=]*\)$)`)

// sorted is the exception: of what is pending, a list sorts all, by design (DeliveryFilter.pending).
var sorted = regexp.MustCompile(`^SCAN d USING (COVERING )?INDEX deliveries_(due|waiting)$`)

// TestNoWalks (security 7, another instance): whatever a client asks for, by whichever filters and on whichever page, is found by an
// index, and so is what is looked up in a transaction, while all others wait. Filters of products have none: lists are bounded by
// Store.LimitedRead, too.
func TestNoWalks(t *testing.T) {
	s := newStore(t)
	plans := reads()
	maps.Copy(plans, writes())
	for name, ask := range plans {
		t.Run(name, func(t *testing.T) {
			asked := map[string][]any{}
			err := s.InTx(within(t), func(tx *Tx) error {
				plain := tx.Statement.ConnPool
				tx.DB = tx.Session(&gorm.Session{})
				tx.Statement.ConnPool = recorder{plain, asked}
				defer func() { tx.Statement.ConnPool = plain }()
				if err := ask(tx); err != nil && Code(err) != CodeNotFound && !errors.Is(err, ErrTaskEnded) {
					return err
				}
				return errUndo
			})
			if !errors.Is(err, errUndo) || len(asked) == 0 {
				t.Fatalf("asked %d, %v", len(asked), err)
			}
			for query, args := range asked {
				for _, step := range planOf(t, s, query, args) {
					if walk.MatchString(step) && !sorted.MatchString(step) {
						t.Errorf("%s: %s", step, query)
					}
				}
			}
		})
	}
}

var errUndo = errors.New("undo it")

func planOf(t *testing.T, s *Store, query string, args []any) (steps []string) {
	t.Helper()
	var rows []struct{ Detail string }
	if err := s.Read(within(t)).Raw("EXPLAIN QUERY PLAN "+query, args...).Scan(&rows).Error; err != nil {
		t.Fatalf("%v: %s", err, query)
	}
	for _, row := range rows {
		steps = append(steps, row.Detail)
	}
	return steps
}

// reads are what lists ask.
func reads() map[string]func(tx *Tx) error {
	all := map[string]func(tx *Tx) error{}
	pages := map[string]Page{"first": {Limit: 3}, "next": {Limit: 3, Cursor: cursorAfter("x_1")}}
	for n, page := range pages {
		for _, status := range []string{StatusProcessing, StatusCompleted, StatusFailed, StatusCancelled} {
			lists(all, "orders "+status+" "+n, ListOrders, page, OrderFilter{Status: status}, OrderFilter{Status: status, Product: "dog-food"})
			lists(all, "reports "+status+" "+n, ListReports, page, ReportFilter{Status: status}, ReportFilter{Status: status, Type: ReportSales})
			lists(all, "images "+status+" "+n, ListImages, page, ImageFilter{Status: status}, ImageFilter{Status: status, ImageURL: "http://a.test/"})
			lists(all, "payments "+status+" "+n, ListPayments, page, PaymentFilter{Status: status},
				PaymentFilter{Status: status, Currency: "USD"}, PaymentFilter{Status: status, OrderID: "ord_1"})
		}
		lists(all, "orders of a product "+n, ListOrders, page, OrderFilter{Product: "dog-food"})
		lists(all, "reports "+n, ListReports, page, ReportFilter{Type: ReportSales})
		lists(all, "images "+n, ListImages, page, ImageFilter{ImageURL: "http://a.test/"})
		lists(all, "payments "+n, ListPayments, page, PaymentFilter{OrderID: "ord_1"}, PaymentFilter{OrderID: "ord_1", Currency: "USD"})
		all["refunds "+n] = func(tx *Tx) error {
			return third(ListRefunds(tx.DB, "pay_1", RefundFilter{Status: StatusFailed}, page))
		}
		for i, f := range deliveryFilters() {
			all[fmt.Sprintf("deliveries %d %s", i, n)] = func(tx *Tx) error { return third(ListDeliveries(tx.DB, f, page)) }
			all[fmt.Sprintf("deliveries to make again %d", i)] = func(tx *Tx) error { return third(MatchingDeliveries(tx.DB, f, 10)) }
		}
	}
	return all
}

func third[T any](_ T, err error) error { return err }

func lists[F, T any](all map[string]func(tx *Tx) error, name string, list func(*gorm.DB, F, Page) (List[T], error), page Page, filters ...F) {
	for i, f := range filters {
		all[fmt.Sprintf("%s %d", name, i)] = func(tx *Tx) error { return third(list(tx.DB, f, page)) }
	}
}

func deliveryFilters() []DeliveryFilter {
	var all []DeliveryFilter
	for _, status := range []string{"", DeliveryPending, DeliveryDelivered, DeliverySuperseded, DeliveryExhausted, DeliveryGone} {
		for _, f := range []DeliveryFilter{
			{}, {URL: "http://a.test/"}, {WebhookID: "whk_1"}, {WebhookID: "whk_1", URL: "http://a.test/"},
			{OrderID: "ord_1"}, {TaskID: "task_1"}, {CallbackID: "cb_1"}, {TaskID: "task_1", URL: "http://a.test/"},
		} {
			if f.Status = status; f != (DeliveryFilter{}) {
				all = append(all, f)
			}
		}
	}
	return all
}

// writes are what is asked in transactions, beside statements on one row that they know the id of.
func writes() map[string]func(tx *Tx) error {
	now := Now()
	hook := &Delivery{ID: "dlv_1", TaskID: "task_1", WebhookID: "whk_1", Status: DeliveryDelivered, Sequence: 3, URL: "http://a.test/"}
	all := map[string]func(tx *Tx) error{
		"deliveries that still match": func(tx *Tx) error {
			return third(StillMatching(tx.DB, DeliveryFilter{Status: DeliveryGone}, []string{"dlv_1"}))
		},
		"a delivery again":      func(tx *Tx) error { return third(Redeliver(tx, hook, false, "")) },
		"a delivery":            func(tx *Tx) error { return third(CreateDelivery(tx, hook)) },
		"progress":              func(tx *Tx) error { return SupersedeProgress(tx, "task_1", 7) },
		"what waited":           func(tx *Tx) error { return third(ScheduleNext(tx, hook, true, "")) },
		"a replay":              func(tx *Tx) error { return third(StartReplay(tx, "whk_1", "")) },
		"what a webhook leaves": func(tx *Tx) error { return third(AbandonDeliveries(tx, "whk_1", "", 10)) },
		"a webhook that moves":  func(tx *Tx) error { return RedirectDeliveries(tx, "whk_1", "http://b.test/") },
		"what a host leaves":    func(tx *Tx) error { return third(ExhaustDeliveries(tx, "http://a.test", now, "", 10)) },
		"a payment's use": func(tx *Tx) error {
			return third(PaymentInUse(tx.DB, Payment{ID: "pay_1", ClaimsOrder: true, OrderID: "ord_1"}))
		},
		"a claim":               func(tx *Tx) error { _, _, err := FindClaim(tx.DB, "ord_1"); return err },
		"refunds":               func(tx *Tx) error { return third(CompletedRefunds(tx.DB, "pay_1")) },
		"an order that is paid": func(tx *Tx) error { return SetPaid(tx, Payment{ID: "pay_1", OrderID: "ord_1"}) },
		"an order that is not":  func(tx *Tx) error { return ReleaseOrder(tx, Payment{ID: "pay_1", OrderID: "ord_1"}) },
		"a product":             func(tx *Tx) error { return third(FindProduct(tx.DB, "dog-food")) },
		"products":              func(tx *Tx) error { return third(FindProducts(tx.DB, []string{"dog-food"})) },
		"a change of a task":    func(tx *Tx) error { return ChangeTask(tx, &Task{ID: "task_1"}) },
		"an image's use":        func(tx *Tx) error { return NotShown(tx.DB, "img_1") },
		"work that is left":     func(tx *Tx) error { return third(WaitingTasks(tx.DB, "order", "ord_1", 10)) },
	}
	for _, kind := range callbacks.Kinds {
		all["what is old: "+kind.Name] = func(tx *Tx) error {
			t := task(1)
			t.Kind, t.Status = kind.Name, StatusCompleted
			return errors.Join(CreateTask(tx, t), third(RemoveTask(tx, EndedTask{ID: t.ID, Kind: t.Kind, ResourceID: t.ResourceID})))
		}
	}
	return all
}
