// Package models is what the Petstore stores: products, orders, tasks, the
// updates that tasks have to tell, and the deliveries of those updates.
//
// A Store is a database. Read gives a view to query, and InTx is the only way
// to write: everything that one call does is kept together or not at all, and
// is on the disk when the call returns.
//
//	err := store.InTx(ctx, func(tx *models.Tx) error {
//		if err := models.CreateTask(tx, &task); err != nil {
//			return err
//		}
//		return models.CreateOrder(tx, &order)
//	})
//
// The package knows GORM and the two engines, SQLite and PostgreSQL. It knows
// no HTTP and no queue.
package models
