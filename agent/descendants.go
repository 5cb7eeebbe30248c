package agent

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what a program and all its descendants use.
type Usage struct {
	MemoryBytes int64   `json:"memory_bytes"`
	CPUSeconds  float64 `json:"cpu_seconds"`
	Processes   int     `json:"processes"`
}

// becomeSubreaper makes processes that lose their parent children of the agent, so that none escapes it.
func becomeSubreaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become subreaper: %w", err)
	}
	return nil
}

// children lists the direct children of a process, the dead ones that nobody has reaped included.
func children(pid int) []int {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	var out []int
	for _, t := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		if err != nil {
			continue
		}
		for f := range strings.FieldsSeq(string(b)) {
			if n, err := strconv.Atoi(f); err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}

// descendants lists all that descends from a process, parents before their children.
func descendants(pid int) []int {
	all := children(pid)
	for i := 0; i < len(all); i++ {
		all = append(all, children(all[i])...)
	}
	return all
}

// reapOrphans collects the dead children that the agent has adopted. The program itself is left to its own Wait.
func reapOrphans(programPID int) {
	for _, pid := range children(os.Getpid()) {
		if pid != programPID {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
}

// killDescendants kills what is left below the agent until nothing is. A process that cannot die (it waits for a dead
// disk) is given up after five seconds.
func killDescendants() {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		left := descendants(os.Getpid())
		if len(left) == 0 {
			return
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		reapOrphans(0)
		time.Sleep(2 * time.Millisecond)
	}
}

// clockTicks is the unit of the times in /proc, fixed by Linux's ABI.
const clockTicks = 100

// usage adds up what all descendants of the agent use.
func usage() Usage {
	var u Usage
	page := int64(os.Getpagesize())
	for _, pid := range descendants(os.Getpid()) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		// The name in parentheses may hold blanks; the fields behind it do not.
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if len(f) < 22 || f[0] == "Z" {
			continue
		}
		rss, _ := strconv.ParseInt(f[21], 10, 64)
		user, _ := strconv.ParseInt(f[11], 10, 64)
		system, _ := strconv.ParseInt(f[12], 10, 64)
		u.MemoryBytes += rss * page
		u.CPUSeconds += float64(user+system) / clockTicks
		u.Processes++
	}
	return u
}
