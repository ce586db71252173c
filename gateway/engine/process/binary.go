package process

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Binary is an engine's file, opened and hashed.
//
// On Linux a program is executed through its open descriptor, so what runs is
// what was hashed, also when another file is renamed over the path: a restart
// runs the version that was loaded until a reload takes the new one. A copy
// would do the same, but not on a runtime folder that is mounted noexec (as
// /run often is), and a program that looks for files beside itself would not
// find them. Writing into the opened file is noticed by its change time.
//
// A script (#!) is executed by its path, because its interpreter opens it again
// and its modules lie beside it: a checksum covers the script alone. So are
// programs on systems without /proc.
type Binary struct {
	path   string
	file   *os.File
	sum    string
	seen   stamp
	script bool
}

// stamp tells whether a file was changed; the change time can't be set back.
type stamp struct {
	size             int64
	modified, change time.Time
}

// OpenBinary opens and hashes the program at an absolute path. It must be a
// regular, executable file, no symbolic link, and neither it nor its folder may
// be one that everybody may write to. Links on the way to its folder are
// followed, once: a release may lie behind one.
func OpenBinary(path string) (*Binary, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("%q: not an absolute path", path)
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	b := &Binary{path: filepath.Join(folder, filepath.Base(path))}
	if err := errors.Join(noLink(b.path), private(folder)); err != nil {
		return nil, err
	}
	if err := b.open(); err != nil {
		return nil, fmt.Errorf("%q: %w", b.path, err)
	}
	return b, nil
}

// noLink refuses a program that is a symbolic link: whoever may replace the
// link would decide what runs, without touching the program.
func noLink(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		return nil //nolint:nilerr // opening it says what is wrong
	}
	target, _ := os.Readlink(path)
	return fmt.Errorf("%q: is a symbolic link to %q: name the file itself; "+
		"for an interpreter, make the script executable, with the interpreter in its first line (#!), and name the script", path, target)
}

// private refuses a folder in which everybody may replace what lies there. In a
// sticky one, such as /tmp, only its owner may.
func private(folder string) error {
	info, err := os.Stat(folder)
	if err != nil || info.Mode().Perm()&0o002 == 0 || info.Mode()&os.ModeSticky != 0 {
		return err
	}
	return fmt.Errorf("%q: everybody may write to this folder (mode %#o): chmod o-w it", folder, info.Mode().Perm())
}

// Sum is the file's SHA-256 in lower-case hexadecimal.
func (b *Binary) Sum() string { return b.sum }

// Path is where the program lies, symbolic links resolved.
func (b *Binary) Path() string { return b.path }

// Again is the same program by a descriptor of its own, for whoever may want to
// run it when another file has taken its path; nil where that can't be: a script
// is read from its path.
func (b *Binary) Again() *Binary {
	if b.script || !byDescriptor {
		return nil
	}
	file, err := os.Open("/proc/self/fd/" + strconv.Itoa(int(b.file.Fd())))
	if err != nil {
		return nil
	}
	again := *b
	again.file = file
	return &again
}

// Close lets go of the file.
func (b *Binary) Close() { _ = b.file.Close() }

// Refresh hashes again what the next start would execute, if it was touched.
// Sum tells whether it became another program.
func (b *Binary) Refresh() error {
	if b.script || !byDescriptor {
		old := b.file
		if err := b.open(); err != nil {
			return fmt.Errorf("%q: %w", b.path, err)
		}
		_ = old.Close()
		return nil
	}
	if same, err := b.untouched(); err != nil || same {
		return err
	}
	return b.read()
}

// open opens the path and hashes what is there; b is unchanged on error.
func (b *Binary) open() error {
	file, err := openRegular(b.path)
	if err != nil {
		return err
	}
	fresh := Binary{path: b.path, file: file}
	if err := fresh.read(); err != nil {
		_ = file.Close()
		return err
	}
	*b = fresh
	return nil
}

// read hashes the open file. The stamp is taken before, so that a change
// during the hashing is noticed too.
func (b *Binary) read() error {
	info, err := b.file.Stat()
	if err != nil {
		return err
	}
	if err := executable(info.Mode()); err != nil {
		return err
	}
	var start [2]byte
	if _, err := b.file.ReadAt(start[:], 0); err != nil {
		return fmt.Errorf("not a program: %w", err)
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(b.file, 0, info.Size())); err != nil {
		return err
	}
	b.sum, b.seen, b.script = hex.EncodeToString(hash.Sum(nil)), stampOf(info), string(start[:]) == "#!"
	return nil
}

// untouched tells whether the open file is as it was when it was hashed.
func (b *Binary) untouched() (bool, error) {
	info, err := b.file.Stat()
	if err != nil {
		return false, err
	}
	return stampOf(info) == b.seen, nil
}

func openRegular(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, errors.Unwrap(err) // the path is said by the caller
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

func executable(mode os.FileMode) error {
	switch {
	case mode.Perm()&0o111 == 0:
		return errors.New("not executable: chmod +x it")
	case mode.Perm()&0o002 != 0:
		return fmt.Errorf("everybody may write to it (mode %#o): chmod o-w it", mode.Perm())
	}
	return nil
}
