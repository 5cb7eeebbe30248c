package envs

import (
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/projects"
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
	// Policy are the project's own rules for it, which only tighten the site's.
	Policy *policy.Rules `json:"policy,omitempty"`
	// Findings are what the rules have by now against the build in use. It stays in use; it could not be activated again.
	Findings []driver.Failure `json:"findings,omitempty"`
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
	Reused   bool   `json:"reused,omitempty"`
	Active   bool   `json:"active"`
	Pinned   bool   `json:"pinned,omitempty"` // never collected
	Workload string `json:"workload,omitempty"`
	By       string `json:"by"`
	Reason   string `json:"reason,omitempty"` // what was asked for, in words: "add pandas"
	// Waiting says what a build waits for, where that is not plain.
	Waiting  string     `json:"waiting,omitempty"`
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
	Number  int       `json:"number"` // 1, 2, 3 …; 0 while Pending
	Build   int       `json:"build"`
	From    int       `json:"from,omitempty"` // the build in use before
	By      string    `json:"by"`
	Reason  string    `json:"reason,omitempty"` // "build 13 is ready", "rolled back"
	Created time.Time `json:"created"`
	// Pending says that the build's files were collected and are being restored; it becomes the one in use when they are.
	Pending bool `json:"pending,omitempty"`
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

// By says who asks for a change and from where, for the history and the audit log.
type By = projects.By

// Ref names a build of an environment, in whatever project. Build 0 is the one in use.
type Ref struct {
	Project     string `json:"project"`
	Environment string `json:"environment"`
	Build       int    `json:"build,omitempty"`
}

// NewEnvironment says what environment to make. Text, Lock, LockID and From are the sources of its content: a spec, a lock, a lock that
// is known here, a build of another environment. Of From both text and lock are taken; a Text beside a Lock is its spec.
type NewEnvironment struct {
	Name string
	Text string
	// Kind says how to make it; empty leaves the choice to the site.
	Kind    lock.Kind
	From    *Ref
	Lock    *lock.Lock
	LockID  string
	Message string
	// Build asks for a build of it at once.
	Build bool
	// Private asks for a build that may run scripts of packages. It stays refused until programs are isolated.
	Private bool
}

// Patch changes an environment; what is nil stays.
type Patch struct {
	// Default makes it the environment of programs that ask for none. It can be set, not taken away.
	Default *bool
	Kind    *lock.Kind
	Policy  *policy.Rules
	// PolicyWas are the rules that Policy was made from: a problem.Conflict where others hold by now. Nil does not care.
	PolicyWas *policy.Rules
}

// Try says what a dry run solves: Text, or the newest revision with an Edit, or that revision as it is.
type Try struct {
	// By is who asks, for whom a builder may be kept ready; nobody where it is empty.
	By   By
	Text *string
	Edit *spec.Edit
}

// Usage is what a project's environments need on disk, in bytes. Exclusive is what would be free without them, Shared what
// other environments use too.
type Usage struct {
	Exclusive int64 `json:"exclusive_bytes"`
	Shared    int64 `json:"shared_bytes"`
	Builds    int   `json:"builds"` // that have files
	// Rule says in words what is kept.
	Rule string `json:"rule"`
}

// Report says what a collection has removed.
type Report struct {
	// Builds lost their files; Packages, downloads and the like left the caches. Bytes is what both took on disk.
	Builds   int   `json:"builds"`
	Packages int   `json:"packages"`
	Bytes    int64 `json:"bytes"`
	// Locks were named by nothing for long; LockBytes is what they took in storage.
	Locks     int   `json:"locks"`
	LockBytes int64 `json:"lock_bytes"`
}

// Change is a hint that something about an environment has changed: look again. An empty Environment means any of the project,
// an empty Project any at all.
type Change struct {
	Project     string
	Environment string
}

// Starter is the content of a project's first environment.
type Starter struct {
	Text string
	Lock *lock.Lock // nil where it has to be solved
	Kind lock.Kind
	Why  string // in a sentence, why it is of that kind
}

// Resolved is what a program needs to know of the build that it is to run on.
type Resolved struct {
	Name        string // of the environment
	Build       int
	ID          string // of the prefix
	Lock        string // its ID
	Prefix      string // the environment's root folder
	Bin         string // folder that goes first on PATH
	Python      string // absolute path of the interpreter; empty where there is none
	Version     string // of Python, "3.11.7"
	Variables   map[string]string
	Kernelspecs []store.Kernelspec
}

// Archive is a build packed for a cluster.
type Archive struct {
	State  ArchiveState `json:"state"`
	Path   string       `json:"path,omitempty"` // on this host
	Bytes  int64        `json:"bytes,omitempty"`
	SHA256 string       `json:"sha256,omitempty"`
	// Spark and Flink are the settings that make a cluster use it, with Path as the archive's address.
	Spark   map[string]string `json:"spark,omitempty"`
	Flink   map[string]string `json:"flink,omitempty"`
	Failure *driver.Failure   `json:"failure,omitempty"`
}

// ArchiveState is where an Archive is in its life.
type ArchiveState string

// The states of an Archive.
const (
	ArchiveNone     ArchiveState = "none"
	ArchiveBuilding ArchiveState = "building"
	ArchiveReady    ArchiveState = "ready"
	ArchiveFailed   ArchiveState = "failed"
)

// PolicyView is what a project's environments have to keep to.
type PolicyView struct {
	Rules policy.Rules `json:"rules"`
	Words []string     `json:"words"`          // the same in sentences
	Kind  lock.Kind    `json:"kind,omitempty"` // how new environments are made; empty while that is not known
	Why   string       `json:"why"`
}
