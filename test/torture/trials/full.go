//go:build linux && amd64

package trials

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/event-gateway/gateway/test/torture/site"
	"github.com/event-gateway/gateway/test/torture/trial"
)

const (
	// diskSize is that of the disk, and perDisk how often one is filled: events
	// stay on it.
	diskSize, perDisk = 400 << 20, 20
	// resumes is within what events must be accepted again.
	resumes = 10 * time.Second
)

// Full fills the store's disk and frees it again, under load, with and without
// a reserve, and in every third round with a SIGKILL and a start on the full
// disk. Senders are told 503 meanwhile; what was accepted stays; it goes on by
// itself.
func Full(b *trial.Bench) error {
	disks := 0
	for first := 0; first < b.Times; first += perDisk {
		for _, reserve := range []string{"16MiB", "1B"} {
			disks++ // in a short name: sockets lie below
			if err := fillDisk(b, fmt.Sprint("full-", disks), reserve, min(perDisk, b.Times-first)/2); err != nil {
				return fmt.Errorf("with a reserve of %s: %w", reserve, err)
			}
		}
	}
	b.Extra = fmt.Sprintf("half of the rounds with a reserve, half until a write fails; accepted again after %s at the latest", b.Slowest.Round(time.Millisecond))
	return nil
}

func fillDisk(b *trial.Bench, name, reserve string, rounds int) (err error) {
	s, err := b.Site(name, strings.Replace(site.Config, "store: {path: ./data}", "store: {path: ./data, min_free: "+reserve+"}", 1))
	if err != nil {
		return err
	}
	data := s.Path("data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", data, "tmpfs", 0, fmt.Sprint("size=", diskSize)); err != nil {
		return fmt.Errorf("mount -t tmpfs: %w: this needs root, in a container CAP_SYS_ADMIN", err)
	}
	defer func() { s.End(); err = errors.Join(err, unix.Unmount(data, unix.MNT_DETACH)) }()
	load := site.NewLoad(s, 1000)
	load.Rest = 5 * time.Millisecond
	load.Go(4)
	defer load.Stop()
	if _, err := s.Start(); err != nil {
		return err
	}
	for round := range rounds {
		if err := fillOnce(b, s, load, round%3 == 2); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		b.Tries(1)
	}
	for _, code := range load.Codes() {
		if code != 0 && code != http.StatusAccepted && code != http.StatusServiceUnavailable {
			b.Problem("senders were answered %d", code)
		}
	}
	s.Current().Kill()
	return finish(b, s, load)
}

// fillOnce fills the disk, waits until senders are refused, and frees it.
func fillOnce(b *trial.Bench, s *site.Site, load *site.Load, kill bool) error {
	before := load.Acked()
	if err := until(resumes, "events are accepted", func() bool { return load.Acked() > before+50 }); err != nil {
		return err
	}
	refused := load.Count(http.StatusServiceUnavailable)
	ballast := s.Path("data/ballast")
	if err := fill(ballast); err != nil {
		return err
	}
	// A gateway may find room for some more events in what it has already.
	err := until(resumes, "senders are told 503", func() bool { return load.Count(http.StatusServiceUnavailable) > refused+20 || s.Current().Ended() })
	if err != nil {
		return err
	}
	if s.Current().Ended() {
		return fmt.Errorf("the gateway ended on a full disk, with code %d:\n%s", s.Current().Code(), s.Current().Said())
	}
	if kill {
		if err := killFull(b, s); err != nil {
			return err
		}
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	freed, before := time.Now(), load.Acked()
	if s.Current().Ended() {
		if _, err := s.Start(); err != nil {
			return err
		}
	}
	err = until(resumes, "events are accepted again", func() bool { return load.Acked() > before+20 })
	b.Recovered(time.Since(freed))
	return err
}

// killFull kills the gateway and starts one on the full disk. That one is
// ready, or it says what is missing.
func killFull(b *trial.Bench, s *site.Site) error {
	s.Current().Kill()
	l, err := s.Start()
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, site.ErrEnded):
		return err
	case l.Code() <= 0 || !strings.Contains(l.Said(), "full") && !strings.Contains(l.Said(), unix.ENOSPC.Error()):
		b.Problem("started on a full disk, the gateway ended with code %d and did not say why:\n%s", l.Code(), l.Said())
	}
	return nil
}

// fill takes all space there is.
func fill(path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	block := make([]byte, 1<<20)
	for size := len(block); size > 0; {
		switch _, err := f.Write(block[:size]); {
		case errors.Is(err, unix.ENOSPC):
			size /= 4
		case err != nil:
			return err
		}
	}
	return nil
}

// until polls until a condition holds.
func until(limit time.Duration, what string, holds func() bool) error {
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s: %s", limit, what)
		}
	}
	return nil
}
