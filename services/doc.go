// Package services is what happens in the Petstore: one file for each use case,
// and the engine that runs slow work and tells about it.
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
// operations by name, so a new kind of slow work is one more file here.
package services
