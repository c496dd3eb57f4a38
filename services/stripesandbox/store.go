package stripesandbox

import (
	"crypto/rand"
	"encoding/json"

	"go.etcd.io/bbolt"
)

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
