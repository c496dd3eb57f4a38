package stripesandbox

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
)

// The buckets of the file.
var (
	bucketIntents    = []byte("payment_intents")
	bucketRefunds    = []byte("refunds")
	bucketUnrefunded = []byte("unrefunded") // what is left of a charge that was refunded in part
	bucketKeys       = []byte("idempotency_keys")
)

// openTimeout is how long another process may take to let go of the file.
const openTimeout = 5 * time.Second

// openFile opens the file, which is made when it is missing, and checks all of it: what bbolt meets later that is damaged ends
// in a panic, and a file that is too short in a fault.
func openFile(path string) (db *bbolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if found := recover(); found != nil {
			err = errors.Join(damage(found), closeFile(db))
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: openTimeout})
	if err != nil {
		return nil, err
	}
	if err = db.Update(prepare); err != nil {
		return nil, errors.Join(err, closeFile(db))
	}
	return db, nil
}

func closeFile(db *bbolt.DB) error {
	if db == nil {
		return nil
	}
	return db.Close()
}

func damage(found any) error {
	return fmt.Errorf("the file is damaged (%v): restore it from a backup together with the database, or move both away to start anew", found)
}

// prepare checks the file, and makes what is missing in it.
func prepare(tx *bbolt.Tx) error {
	info, err := os.Stat(tx.DB().Path())
	if err != nil {
		return err
	}
	if info.Size() < tx.Size() {
		return damage(fmt.Sprintf("%d of %d bytes are there", info.Size(), tx.Size()))
	}
	for found := range tx.Check() {
		if err == nil { // the first; all are taken, or the check would wait for ever
			err = found
		}
	}
	if err != nil {
		return damage(err)
	}
	for _, name := range [][]byte{bucketIntents, bucketRefunds, bucketUnrefunded, bucketKeys} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}

// get reads a row, if there is one.
func get[T any](tx *bbolt.Tx, bucket []byte, key string) (row T, found bool, err error) {
	text := tx.Bucket(bucket).Get([]byte(key))
	if text == nil {
		return row, false, nil
	}
	return row, true, json.Unmarshal(text, &row)
}

func put(tx *bbolt.Tx, bucket []byte, key string, row any) error {
	text, err := json.Marshal(row)
	if err != nil {
		return err
	}
	return tx.Bucket(bucket).Put([]byte(key), text)
}

func all[T any](db *bbolt.DB, bucket []byte) ([]T, error) {
	var rows []T
	err := db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(_, text []byte) error {
			var row T
			err := json.Unmarshal(text, &row)
			rows = append(rows, row)
			return err
		})
	})
	return rows, err
}

func newID(prefix string) string { return prefix + rand.Text() }
