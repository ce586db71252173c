package journal

import (
	"errors"
	"os"
)

// file is a segment's file, whose Sync leaves out what only its times say.
type file struct{ *os.File }

func (f file) Sync() error { return dataSync(f.File) }

func openFile(path string) (File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	return file{f}, err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
