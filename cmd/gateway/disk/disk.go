// Package disk changes files that others may be reading, such as a gateway that
// watches its configuration: whoever opens one sees all of it, old or new.
package disk

import (
	"errors"
	"os"
	"path/filepath"
)

// Replace gives a file another content, at once or not at all. Its mode stays,
// and so does a link that leads to it.
func Replace(path string, text []byte) (err error) {
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Chmod(info.Mode().Perm()), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(file.Name()))
	}
	return err
}
