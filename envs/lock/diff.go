package lock

// Diff is what differs between two locks, each list sorted by name.
type Diff struct {
	Added   []Change `json:"added,omitempty"`
	Removed []Change `json:"removed,omitempty"`
	Changed []Change `json:"changed,omitempty"`
	// Unchanged counts the artifacts that both have.
	Unchanged int `json:"unchanged"`
	// Bytes is the sum of the sizes of what is new, in bytes of artifacts.
	Bytes int64 `json:"bytes"`
}

// Change is one package that differs.
type Change struct {
	Name      string `json:"name"`
	From      string `json:"from"` // "conda" or "pip"
	Old       string `json:"old,omitempty"`
	New       string `json:"new,omitempty"`
	OldBuild  string `json:"old_build,omitempty"`
	NewBuild  string `json:"new_build,omitempty"`
	Direction string `json:"direction,omitempty"` // "up", "down", or "build" where only the build differs
	Bytes     int64  `json:"bytes,omitempty"`     // size of the new artifact
}
