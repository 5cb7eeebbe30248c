package agent

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Process names one process for certain: its number may be used again, after a restart of the machine at the latest.
type Process struct {
	PID     int    `json:"pid"`
	Started uint64 `json:"started"` // in clock ticks since boot
	Boot    string `json:"boot"`    // the boot's random id
}

// bootID is different after every restart of the machine.
var bootID = sync.OnceValue(func() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
})

// ProcessOf names the process that has the number now; Started is 0 if there is none, or only its remains.
func ProcessOf(pid int) Process {
	return Process{PID: pid, Started: startTicks(pid), Boot: bootID()}
}

// ErrNoProcess means that a file does not name a process.
var ErrNoProcess = errors.New("agent: no process is named")

// ReadProcess reads what an agent wrote to its AgentFile or ProgramFile. It returns ErrNoProcess if the file holds something
// else.
func ReadProcess(path string) (Process, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Process{}, err
	}
	var p Process
	if _, err := fmt.Sscan(string(b), &p.PID, &p.Started, &p.Boot); err != nil || p.PID <= 1 {
		return Process{}, fmt.Errorf("%w: %s: %q", ErrNoProcess, path, b)
	}
	return p, nil
}

func (p Process) append(b []byte) []byte { return fmt.Appendln(b, p.PID, p.Started, p.Boot) }

// ThisBoot says whether the process was started since the machine was: nothing of it can be left otherwise.
func (p Process) ThisBoot() bool { return p.Boot == bootID() }

// Alive says whether the process runs.
func (p Process) Alive() bool { return p.Started != 0 && ProcessOf(p.PID) == p }

// startTicks is when a process started, in clock ticks since boot; 0 if there is none, or only its remains.
func startTicks(pid int) uint64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name in parentheses may hold blanks; the fields behind it do not.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 20 || f[0] == "Z" || f[0] == "X" {
		return 0
	}
	t, _ := strconv.ParseUint(f[19], 10, 64)
	return t
}
