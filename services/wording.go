package services

import (
	"fmt"
)

// plural writes a number and what it counts: 1 item, 2 items.
func plural(n int64, noun string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
