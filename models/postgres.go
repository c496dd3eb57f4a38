package models

import (
	"context"
	"errors"
)

func openPostgres(context.Context, string) (*Store, error) {
	return nil, errors.New("PostgreSQL is coming")
}
