// Package workloads holds what is common to all that runs in a project: launching, finding again after a restart, stopping,
// metering and sweeping.
package workloads

import (
	"encoding/json"
	"time"
)

// State is where a workload is in its life, as people see it.
type State string

// The states. Starting → Running → Stopping → Ended; every state may go to Ended. They never move backwards.
const (
	Starting State = "starting"
	Running  State = "running"
	Stopping State = "stopping"
	Ended    State = "ended"
)

// Info is what is known of a workload at one moment: a copy, safe to keep.
type Info struct {
	ID      string `json:"id"`
	Project string `json:"project"`
	Kind    string `json:"kind"` // "kernel", "terminal"
	// Name is what people call it: the notebook's name, else the kernelspec's display name.
	Name  string `json:"name"`
	Owner string `json:"owner"` // the user who started it
	State State  `json:"state"`
	// Activity is the kind's own state in its own words: a kernel's idle, busy, restarting, dead.
	Activity string `json:"activity,omitempty"`
	// Reason says in a sentence why it is in this state, where that is not plain.
	Reason       string     `json:"reason,omitempty"`
	Started      time.Time  `json:"started"`
	LastActivity time.Time  `json:"last_activity"`
	Ended        *time.Time `json:"ended,omitempty"`
	// MemoryBytes is the resident memory of the program and its descendants; 0 where it is not known.
	MemoryBytes int64   `json:"memory_bytes"`
	CPUSeconds  float64 `json:"cpu_seconds"`
	Connections int     `json:"connections"`
	// Environment is the environment build it runs on; nil where it runs on none.
	Environment *Environment `json:"environment,omitempty"`
	// Isolation is the level of isolation reached, in words.
	Isolation string `json:"isolation"`
}

// Environment names the build of an environment that a workload runs on: the one that was in use when it started.
type Environment struct {
	Name  string `json:"name"`
	Build int    `json:"build"` // its number in that environment
	ID    string `json:"id"`    // of the files, which environments may share
	Lock  string `json:"lock,omitempty"`
}

// UnmarshalJSON also reads the records of gateways whose environments were not yet numbered: a bare ID.
func (e *Environment) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &e.ID)
	}
	type plain Environment
	return json.Unmarshal(b, (*plain)(e))
}

// Change is a hint that a workload of a project has changed: list again.
type Change struct {
	Project string
	ID      string
}
