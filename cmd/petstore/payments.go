package main

import (
	"context"
	"strings"

	"petstore/services"
	"petstore/services/stripeclient"
	"petstore/services/stripesandbox"
	"petstore/services/task"
)

const (
	// sandboxKey is what the sandbox takes for a key.
	sandboxKey = "sk_test_sandbox"
	// testMethod is a card of Stripe's own, which is charged in test mode only.
	testMethod = "pm_card_visa"
)

// payments joins payments to Stripe, or without a key, in development, to the sandbox.
func (a *App) payments(tasks *task.Engine) (*services.Payments, error) {
	options := stripeclient.Options{Key: a.config.StripeKey, URL: a.config.StripeURL}
	var methods services.Methods
	if options.Key == "" {
		sandbox, err := stripesandbox.Open(a.config.sandboxFile(), stripesandbox.Options{Delay: a.config.StepDelay})
		if err != nil {
			return nil, err
		}
		a.onClose(func(context.Context) error { return sandbox.Close() })
		options.Key, options.Transport, methods.Known = sandboxKey, sandbox, stripesandbox.Methods()
	}
	for _, operation := range services.NewCharging(a.store, tasks, stripeclient.New(options)) {
		tasks.Register(operation)
	}
	if isTestKey(options.Key) {
		methods.Default = testMethod
	}
	return services.NewPayments(a.store, tasks, methods), nil
}

// sandboxFile is where the sandbox keeps its state: beside the database, so that
// payments and what the sandbox knows of them are lost together or not at all.
func (c Config) sandboxFile() string {
	path := strings.TrimPrefix(c.DatabaseURL, "file:")
	if strings.Contains(path, "://") {
		return ""
	}
	return path + ".stripe"
}
