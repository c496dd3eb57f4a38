// Package db is the database: a Store to read from and write to, on SQLite or on
// PostgreSQL, its tables' versions (migrations), and the group commit of both engines.
//
// It knows no row: what is stored is package models.
package db
