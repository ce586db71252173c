package engine

import (
	"errors"
	"fmt"
)

// ErrStopped: the pool has stopped, or is about to.
var ErrStopped = errors.New("the gateway is stopping")

// ChecksumError says that the file is not the one that was pinned.
type ChecksumError struct {
	Engine, Path, Want, Have string
}

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("engine %s: %q has the checksum %s, the configuration wants %s", e.Engine, e.Path, e.Have, e.Want)
}

// LimitError says that this system can't bound what an engine takes.
type LimitError struct{ Engine string }

func (e *LimitError) Error() string {
	return fmt.Sprintf("engine %s: memory and open_files can be limited on Linux alone", e.Engine)
}
