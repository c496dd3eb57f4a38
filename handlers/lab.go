package handlers

import (
	"petstore/callbacks"
	"petstore/docs"
)

// senders are who sends the messages that the lab draws, by the names that it has for them.
func senders() map[string]docs.Source {
	return map[string]docs.Source{
		"order":       docs.SourceOf(orderHandlers.create),
		"report":      docs.SourceOf(reportHandlers.create),
		"image":       docs.SourceOf(imageHandlers.create),
		"payment":     docs.SourceOf(paymentHandlers.create),
		"task":        docs.SourceOf(taskHandlers.get),
		"stream":      docs.SourceOf((*eventStream).add),
		"socket":      docs.SourceOf((*session).emitAll),
		"process":     docs.SourceOf((*session).process),
		"subscribe":   docs.SourceOf((*session).subscribe),
		"upgrade":     docs.SourceOf(websocketHandlers.serve),
		"socketio":    docs.SourceOf(newSocketIO),
		"callback":    docs.SourceOf((*callbacks.Sender).Send),
		"receiver":    docs.SourceOf(callbacks.Middleware),
		"redelivery":  docs.SourceOf(deliveryHandlers.redeliver),
		"orderStream": docs.SourceOf(streamHandlers.followOrders),
		"taskStream":  docs.SourceOf(streamHandlers.followTasks),
	}
}
