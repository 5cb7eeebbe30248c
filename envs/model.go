package envs

import (
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
)

// Environment is a project's named pointer to the build that its new programs get.
type Environment struct {
	Project string    `json:"project"`
	Name    string    `json:"name"`
	Kind    lock.Kind `json:"kind"`
	// Why says in a sentence why it is of that kind.
	Why string `json:"why"`
	// Default is the environment that programs get which ask for none.
	Default bool `json:"default"`
	// Revision is the number of its newest spec.
	Revision int `json:"revision"`
	// Active is the build in use, nil before the first one is ready.
	Active *Active `json:"active,omitempty"`
	// Latest is the newest build: building, failed or active.
	Latest    *Build    `json:"latest,omitempty"`
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
	// Exclusive are the bytes on disk that only this environment's builds use, Shared those that others use too.
	Exclusive int64 `json:"exclusive_bytes"`
	Shared    int64 `json:"shared_bytes"`
	// InUse are the builds that programs run on now.
	InUse []InUse `json:"in_use,omitempty"`
}

// Active is what an Environment points to.
type Active struct {
	Build    int       `json:"build"`
	ID       string    `json:"id"` // of the prefix
	Revision int       `json:"revision"`
	Python   string    `json:"python,omitempty"` // "3.11.7"
	Packages int       `json:"packages"`
	Prefix   string    `json:"prefix"`
	Since    time.Time `json:"since"`
	By       string    `json:"by"`
}

// InUse says how many programs run on a build.
type InUse struct {
	Build     int      `json:"build"`
	Workloads []string `json:"workloads"` // their ids
}

// Revision is one version of an environment's spec. It never changes.
type Revision struct {
	Number  int       `json:"revision"`
	Text    string    `json:"text"` // environment.yml as written
	Author  string    `json:"author"`
	Message string    `json:"message,omitempty"`
	Created time.Time `json:"created"`
	SHA256  string    `json:"sha256"`
	// Lock, when set, is the content to build without a solver: a spec that came with one.
	Lock string `json:"lock,omitempty"`
}

// State is where a Build is in its life.
type State string

// The states: queued → solving → building → ready, or failed or canceled from each of the first three. A ready build that is not active may be collected;
// activating it again restores it from its lock.
const (
	Queued    State = "queued"
	Solving   State = "solving"
	Building  State = "building"
	Ready     State = "ready"
	Collected State = "collected" // ready once; its files are gone, its lock is kept
	Failed    State = "failed"
	CanceledS State = "canceled"
)

// Ended reports whether nothing more will happen to a build in that state by itself.
func (s State) Ended() bool { return s == Ready || s == Failed || s == CanceledS || s == Collected }

// Build is one numbered try to turn a revision into something that programs run on.
type Build struct {
	Project     string          `json:"project"`
	Environment string          `json:"environment"`
	Number      int             `json:"build"`
	Revision    int             `json:"revision"`
	State       State           `json:"state"`
	Phase       driver.Phase    `json:"phase,omitempty"`
	Failure     *driver.Failure `json:"failure,omitempty"`
	// Lock is the lock's ID and ID the prefix's, once they are known.
	Lock string `json:"lock,omitempty"`
	ID   string `json:"id,omitempty"`
	// Reused says that the files were there already.
	Reused   bool       `json:"reused,omitempty"`
	Active   bool       `json:"active"`
	Pinned   bool       `json:"pinned,omitempty"` // never collected
	Workload string     `json:"workload,omitempty"`
	By       string     `json:"by"`
	Reason   string     `json:"reason,omitempty"` // what was asked for, in words: "add pandas"
	Created  time.Time  `json:"created"`
	Started  *time.Time `json:"started,omitempty"`
	Ended    *time.Time `json:"ended,omitempty"`
	Packages int        `json:"packages,omitempty"`
	Bytes    int64      `json:"bytes,omitempty"`
	Python   string     `json:"python,omitempty"`
	Link     string     `json:"link,omitempty"` // how files came into it: "hardlink", "reflink", "copy"
	// Progress is the last progress event of a build that is not over.
	Progress *driver.Event `json:"progress,omitempty"`
}

// Activation is one entry of an environment's history: who made which build the one in use, and why.
type Activation struct {
	Number  int       `json:"number"` // 1, 2, 3 …
	Build   int       `json:"build"`
	From    int       `json:"from,omitempty"` // the build in use before
	By      string    `json:"by"`
	Reason  string    `json:"reason,omitempty"` // "build 13 is ready", "rolled back"
	Created time.Time `json:"created"`
}

// Solution is the answer of a dry run.
type Solution struct {
	Lock string    `json:"lock"` // its ID
	Diff lock.Diff `json:"diff"` // against the build in use
	// Download is what is not in the cache, in bytes; Installed the size of all artifacts.
	Download  int64 `json:"download_bytes"`
	Artifacts int64 `json:"artifact_bytes"`
	// Ready says that this content is built already.
	Ready    bool             `json:"ready"`
	Findings []driver.Failure `json:"findings,omitempty"` // what the policy says against it
	// Text is the environment.yml that was solved.
	Text string `json:"text"`
}
