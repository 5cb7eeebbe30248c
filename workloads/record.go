package workloads

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hopyard/hopyard/plugins/scheduling"
)

// record is what storage keeps of a workload: what must be known to find it again. What changes by the second (activity,
// memory) lives in memory only; its agent knows it.
type record struct {
	Kind        string            `json:"kind"`
	Name        string            `json:"name"`
	Owner       string            `json:"owner"`
	Started     time.Time         `json:"started"`
	Environment *Environment      `json:"environment,omitempty"`
	Isolation   string            `json:"isolation"`
	Stopping    bool              `json:"stopping,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	// Launcher is the holder (storage.Holders) that is at work on the launch, where storage knows its holders.
	Launcher string `json:"launcher,omitempty"`
	// Handle is the driver's receipt; empty between the decision to launch and the launch.
	Handle *scheduling.Handle `json:"handle,omitempty"`
}

const prefix = "workloads/"

func key(project, id string) string { return prefix + project + "/" + id }

// splitKey is the reverse of key.
func splitKey(k string) (project, id string, ok bool) {
	return strings.Cut(strings.TrimPrefix(k, prefix), "/")
}

func (r record) encode() ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("workloads: %w", err)
	}
	return b, nil
}

func decode(b []byte) (record, error) {
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("workloads: %w", err)
	}
	return r, nil
}
