// Package services is what happens in the Petstore: one file for each noun,
// and the engine that runs slow work and tells about it. What the work itself takes
// is in packages beneath this one, which do not know the engine.
//
// The way of a piece of slow work:
//
//	Orders.Create   one transaction: order, task, first update, job
//	taskWorker      takes the job from the queue and runs the Operation
//	Tasks.tell      one transaction for each report: task, update, delivery
//	lane            sends a task's deliveries to one URL, in order
//	Courier         sends one delivery and writes down what came of it
//	deliveryWorker  tries a failed delivery again, on the retry schedule
//
// An Operation is a plain function with a name; nothing in the engine knows the
// operations by name, so a new kind of slow work is one more file here, with its use cases and its
// Operation.
package services
