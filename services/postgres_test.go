package services

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/riverqueue/river"

	"petstore/models"
	"petstore/models/postgrestest"
	"petstore/services/task"
)

// onPostgres is the test whose parts run on PostgreSQL.
const onPostgres = "TestOnPostgres"

// TestOnPostgres repeats the tests of what both engines promise.
func TestOnPostgres(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T){
		"order": TestOrderIsToldTheSameEverywhere, "out of stock": TestOrderOutOfStock, "last item": TestLastItemIsSoldOnce,
		"cancel": TestCancel, "change": TestChangeWhileProcessing, "attempts": TestAttemptsAreKept,
		"exhausted": TestRedeliverWhatIsExhausted, "beside": TestRedeliverBesideAnAttempt, "redeliver": TestRedeliverAll,
		"overtaken": TestOvertakenProgressIsNotSent, "order of callbacks": TestOrderHoldsUnderFaults, "reports": TestReports,
		"products": TestProductChange, "no lost changes": TestProductChangesAreNotLost, "wait": TestWait,
		"payment": TestPaymentTellsWhatItDoes, "paid once": TestOrderIsPaidOnce, "refunds": TestRefundsNeverExceedThePayment,
		"delete payment": TestDeletePayment, "failed order": TestFailedOrderCostsNothing, "paid and out of stock": TestPaidAndOutOfStock,
		"upload": TestUploadedImage, "cancelled image": TestCancelledImage, "deleted image": TestDeletedImage,
		"sales": TestSalesReport, "inventory": TestInventoryReport, "callbacks": TestCallbacksReport,
		"one moment": TestReportIsOneMoment, "delete report": TestDeletingAReport,
		"turns": TestWebhookWaitsForItsTurn, "webhook under faults": TestWebhookOrderUnderFaults, "gone": TestWebhookDisabledByGone,
		"retention": TestRetention, "ping": TestWebhookPing, "delete webhook": TestWebhookDelete, "webhook moves": TestWebhookMoves,
		"replay":         replayOnceExactly,
		"replay goes on": TestReplayGoesOnBesideWhatWaits,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they mostly wait for the server
			test(t)
		})
	}
}

// TestReindexedIndexesExist (reliability 12): each midnight River rebuilds indexes, and warns of each that it does not find.
func TestReindexedIndexesExist(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{url: postgrestest.URL(t), idle: true, operations: quick()})
	for _, name := range river.ReindexerIndexNamesDefault() {
		var exists bool
		err := e.store.Read(within(t)).Raw("SELECT to_regclass(?) IS NOT NULL", name).Scan(&exists).Error
		if err != nil || !exists {
			t.Errorf("index %s does not exist (%v)", name, err)
		}
	}
}

// TestTwoReplicas lets two processes' worth of engines share a database. A
// cancellation at one reaches the work at the other with its next report, and is
// told once.
func TestTwoReplicas(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	reported, proceed := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	op := operation(func(_ context.Context, _ *models.Task, report task.Progress) (any, error) {
		if err := report(10, "Working"); err != nil {
			return nil, err
		}
		close(reported)
		<-proceed
		err := report(20, "Working on")
		ended <- err
		return nil, err
	})
	runs := newEngine(t, options{url: url, operations: []task.Operation{op}})
	cancels := newEngine(t, options{url: url, operations: []task.Operation{op}, idle: true})
	rc := newReceiver(t, nil)
	task := runs.begin(rc.URL)
	await(t, reported, "the first report")
	if _, err := cancels.tasks.Cancel(within(t), task.ID); err != nil {
		t.Fatal(err)
	}
	close(proceed)
	if err := await(t, ended, "the second report"); !errors.Is(err, models.ErrTaskEnded) {
		t.Errorf("the report was told %v", err)
	}
	if a := rc.last(task.ID); a.Status != models.StatusCancelled {
		t.Errorf("got %s", a.Body)
	}
	runs.drain()
	rc.nothingMore()
}

// TestReplicasShareTheWork: each task runs once, wherever.
func TestReplicasShareTheWork(t *testing.T) {
	t.Parallel()
	const tasks = 60
	url := postgrestest.URL(t)
	done := make(chan string, 2*tasks)
	var engines []*engine
	for range 2 {
		engines = append(engines, newEngine(t, options{url: url, operations: []task.Operation{operation(
			func(_ context.Context, task *models.Task, _ task.Progress) (any, error) {
				done <- task.ID
				return nil, nil
			})}}))
	}
	rc := newReceiver(t, nil)
	ran := map[string]int{}
	for i := range tasks {
		engines[i%2].begin(rc.URL + fmt.Sprint("/", i%3))
	}
	for range tasks {
		ran[await(t, done, "a run")]++
		rc.next()
	}
	for _, e := range engines {
		e.drain()
	}
	rc.nothingMore()
	if len(ran) != tasks {
		t.Errorf("%d tasks ran, want %d, each once", len(ran), tasks)
	}
}
