// Package uv does all that concerns wheels with the uv program: it solves requirements into exact wheels, makes virtual
// environments and installs into them. Downloads are its own, by address and hash, so that progress can be told and nothing
// but the locked bytes is ever used.
//
// What uv writes when it fails is mapped to causes in failure.go; that is the one place to look at when uv is renewed.
package uv

import (
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs/lock"
)

// Tool is the uv program with what it may use. The zero value of each optional field is a good default. It is safe for
// concurrent use and must not be changed once in use. Errors are *driver.Failure where the cause is known.
type Tool struct {
	// Path is the uv program. Absolute.
	Path string
	// Cache is where uv keeps what it learnt of package indexes; empty means a new folder for each call.
	Cache string
	// AuthFile names credentials per host in the form of RATTLER_AUTH_FILE; empty means none.
	AuthFile string
	// Offline forbids all network access.
	Offline bool
	// Hosts are addresses and hosts of indexes and files that may be inside of the network around. So may an index that is named in a
	// request, and uv's default.
	Hosts []string
	// MemoryBytes limits uv's address space; 0 means 4 GiB.
	MemoryBytes int64
	// Timeout ends a solve that takes longer; 0 means five minutes.
	Timeout time.Duration
	// Pinned are the settings for wheels without an address, which are fetched by name and hash.
	Pinned Pinned

	index struct {
		sync.Mutex
		address string // guarded; uv's default, once known
	}
}

// Pinned says how to get wheels of which only name, version and hash are known. They come through the machine's own pip.
type Pinned struct {
	// Python runs pip: a path or a name on PATH; empty means python3.
	Python string
	// For is the version of Python, "3.13", that they are for; empty means that of Python.
	For string
	// Cache is the shared folder of verified wheels; empty means the user's own.
	Cache string
}

// Request says what Compile shall solve.
type Request struct {
	// Requirements are PEP 508 lines.
	Requirements []string
	// Constraints are lines like "numpy==2.4.6" that hold for whatever is chosen.
	Constraints []string
	// Provided are the names of what is there already, by the constraints' versions: the answer leaves them out.
	Provided []string
	// Python is the minor version, "3.11". PythonPath is any interpreter that uv may look at; it need not be of that version.
	Python     string
	PythonPath string
	// Platform is conda's word; empty means "linux-64".
	Platform string
	// Glibc is the oldest version of glibc that the wheels must run on, "2.28" if empty.
	Glibc string
	// Index is the address of the package index without credentials; empty means uv's default.
	Index string
	// MinimumAge keeps out what was uploaded more recently.
	MinimumAge time.Duration
	// Prefer are wheels to stay with where the requirements allow, but for those that Upgrade names.
	Prefer  []lock.Wheel
	Upgrade []string
}

// InstallRequest says what to install where.
type InstallRequest struct {
	// Python is the interpreter of the environment, <prefix>/bin/python.
	Python string
	Wheels []lock.Wheel
	// Dir is the folder that Fetch filled.
	Dir string
	// UVCache keeps the wheels' unpacked files, which are hard-linked into the environment where both are on one filesystem.
	UVCache string
}
