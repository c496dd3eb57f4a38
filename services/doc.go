// Package services is what happens in the Petstore: the use cases, one file for each
// noun. The engine that runs slow work and tells about it, and what the work itself
// takes, are in packages beneath this one, which do not know it.
//
// The way of a piece of slow work:
//
//	Orders.Create   one transaction: order, task, first update
//	queue           runs the task, which is work that is left as long as it is processing
//	task.Engine     runs the Operation; one transaction for each thing that it tells
//	dispatch        sends the deliveries of what was told, and writes down what came of it
//	stream          tells those who follow live
//
// An Operation is a plain function with a name; nothing in the engine knows the
// operations by name. A new kind of slow work is a file here, with its use cases and its Operation, and five more:
// docs/CONTRIBUTING.md has an example.
package services
