// Package folder is the embedded store's folder: made so that it lasts, and used
// by one process. It stands below the store, which opens its files there.
package folder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Make makes the store's folder, and makes it last: a folder that its parent
// has not on disk goes with the power, and all files in it, synced or not.
func Make(dir string) error { return makeWith(dir, Sync) }

func makeWith(dir string, sync func(dir string) error) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	parents := []string{filepath.Dir(dir)} // a former process may have died before its sync
	for _, err := os.Stat(parents[0]); errors.Is(err, fs.ErrNotExist); _, err = os.Stat(parents[0]) {
		parents = append([]string{filepath.Dir(parents[0])}, parents...)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, parent := range parents {
		if err := sync(parent); err != nil {
			return err
		}
	}
	return nil
}

// Sync makes the names in a folder last. It leaves out folders that may not be
// read or cannot be synced: whoever made those has to see to it.
func Sync(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	} else if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
