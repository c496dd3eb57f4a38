package services

import (
	"context"
	"net"
	"os"
	"syscall"
	"testing"

	"petstore/models"
)

// TestShortageOpensNoBreaker (reliability 5, another instance): names cannot be looked up for want of descriptors, more often than
// failures open a circuit breaker. No attempt is counted against a webhook or a callback URL, nor a failure against their host.
func TestShortageOpensNoBreaker(t *testing.T) {
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}
	}}
	defer func() { net.DefaultResolver = before }()
	e := newHookEngine(t)
	e.register("http://receiver.test/", "order.completed")
	for range 25 {
		e.ended(e.begin("http://receiver.test/", nil))
	}
	var host models.HostStatus
	e.until("each was tried", func() bool {
		hosts := e.dispatcher.Hosts(models.Page{Limit: 10}).Items
		if len(hosts) == 1 {
			host = hosts[0]
		}
		return host.InFlight == 0 && host.Waiting == 0 && host.DueAt != nil
	})
	if host.State != models.HostClosed || host.Failures > 0 {
		t.Errorf("the host is %+v", host)
	}
	var tried int64
	err := e.store.Read(e.ctx).Model(&models.Delivery{}).Where("attempts > 0 OR status NOT IN ('pending', 'superseded')").Count(&tried).Error
	if err != nil || tried > 0 {
		t.Errorf("%d deliveries have attempts, %v", tried, err)
	}
}
