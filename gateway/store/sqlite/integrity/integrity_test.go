package integrity

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/event-gateway/gateway/gateway/store/sqlite/rows"
)

// What is small is checked at once, what is larger after a while, what is very
// large never.
func TestWhen(t *testing.T) {
	for size, want := range map[int64]struct {
		first bool
		later time.Duration
	}{
		1 << 20: {true, 0}, first: {true, 0}, first + 1: {false, settles}, most: {false, settles}, most + 1: {false, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			asked, began := 0, time.Now()
			c := Check{Size: size, Read: func(_ context.Context, _ string, _ []any, each func([]driver.Value) error) error {
				asked++
				return each([]driver.Value{"row 1 missing"})
			}}
			if err := c.First(); errors.Is(err, rows.ErrDamaged) != want.first {
				t.Errorf("%d bytes: at first: %v", size, err)
			}
			var told error
			c.Later(t.Context(), func(err error) error { told = err; return err })
			if took := time.Since(began); took != want.later || (want.later > 0) != errors.Is(told, rows.ErrDamaged) {
				t.Errorf("%d bytes: later: %v after %v", size, told, took)
			}
			if most := 1; asked > most {
				t.Errorf("%d bytes: checked %d times", size, asked)
			}
		})
	}
}
