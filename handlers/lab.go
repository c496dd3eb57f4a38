package handlers

import (
	"petstore/callbacks"
	"petstore/callbacks/receiver/verdict"
	"petstore/docs"
	"petstore/handlers/socketio"
)

// senders are the statements that send the messages which the lab draws, by the names that it has for them. A number is how
// many lines below the function's first the statement is; TestLabSenders says which, when that changes.
func senders() map[string][]docs.Source {
	accepted := docs.SourceOf(respondAccepted, 19, "return respond(c, status, resource)")
	return map[string][]docs.Source{
		"order":       {docs.SourceOf(orderHandlers.create, 0, "return createTask(c, h.tasks, h.start)"), accepted},
		"report":      {docs.SourceOf(reportHandlers.create, 0, "return createTask(c, h.tasks, h.start)"), accepted},
		"image":       {docs.SourceOf(imageHandlers.create, 16, "return respondAccepted(c, h.tasks, a)"), accepted},
		"payment":     {docs.SourceOf(paymentHandlers.create, 0, "return createTask(c, h.tasks, h.start)"), accepted},
		"task":        {docs.SourceOf(taskHandlers.get, 20, "return respondTagged(c, new(showTask(t)))")},
		"orderStream": {docs.SourceOf(streamHandlers.followOrders, 18, `return h.follow(c, "order-update", filter, last)`)},
		"taskStream":  {docs.SourceOf(streamHandlers.followTasks, 7, `return h.follow(c, "task-update", filter, last)`)},
		"stream":      {docs.SourceOf((*eventStream).flush, 10, "_, err := s.conn.Write(s.buffer)")},
		"upgrade":     {docs.SourceOf(websocketHandlers.serve, 18, "websocket.Accept(w, c.Request, &websocket.AcceptOptions{InsecureSkipVerify: true})")},
		"socketio":    {docs.SourceOf((*socketio.Server).ServeHTTP, 17, "s.serveWebSocket(w, r)")},
		"process":     {docs.SourceOf((*session).process, 8, "s.live.starters[kind](s.ctx, request)")},
		"subscribe":   {docs.SourceOf((*session).subscribe, 8, "s.live.tasks.Wait(s.ctx, id, 0)")},
		"socket":      {docs.SourceOf((*session).emitAll, 9, "s.emit(eventOf(u), jsontext.Value(u.Body))")},
		"callback":    {docs.SourceOf((*callbacks.Sender).Send, 33, "s.transport.RoundTrip(request)")},
		"receiver":    {docs.SourceOf(callbacks.Middleware, 34, "rc.verify(r.Header, body, rc.secret, time.Now())")},
		"inbox":       {docs.SourceOf(verdict.Genuine, 3, "if !v.OK && (v.Check == CheckSignature || v.Check == CheckTimestamp)")},
		"redelivery":  {docs.SourceOf(deliveryHandlers.redeliver, 10, "return respond(c, http.StatusAccepted, showDelivery(d))")},
	}
}
