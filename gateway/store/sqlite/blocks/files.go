package blocks

import (
	"database/sql/driver"

	"github.com/event-gateway/gateway/gateway/store/sqlite/pack"
)

// Sweep removes the files that no block is in any more.
func Sweep(from pack.From) error {
	list, err := from.Files.Done()
	if err != nil {
		return err
	}
	var left []int64
	for _, file := range list {
		there := false
		err := from.Ask("SELECT 1 FROM blocks WHERE file=? LIMIT 1", func([]driver.Value) error {
			there = true
			return nil
		}, file)
		if err != nil {
			return err
		}
		if !there {
			left = append(left, file)
		}
	}
	return from.Files.Remove(left)
}
