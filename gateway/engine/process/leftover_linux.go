package process

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// killLeftOver looks through all processes for those that carry the nonce of a
// record in their environment and are the recorded process itself (same pid,
// same start time) or still in its group.
func killLeftOver(left map[string]record) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if r, ok := left[nonceOf(pid)]; ok && r.owns(pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func (r record) owns(pid int) bool {
	if pid == r.PID {
		start, ok := startTime(pid)
		return ok && start == r.Start
	}
	group, err := syscall.Getpgid(pid)
	return err == nil && group == r.PID
}

// nonceOf reads the mark of a gateway's process; "" for all others and for
// those of other users.
func nonceOf(pid int) string {
	environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return ""
	}
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if value, ok := bytes.CutPrefix(entry, []byte(nonceKey+"=")); ok {
			return string(value)
		}
	}
	return ""
}

// startTime is the 22nd field of /proc/PID/stat: clock ticks since boot. The
// second field is the program's name, which may hold anything, also ")".
func startTime(pid int) (string, bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", false
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return "", false
	}
	return fields[19], true
}
