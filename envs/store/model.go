package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
)

// Options are what decides, besides the lock, what a prefix holds. They are part of its id.
type Options struct {
	// Domain is the trust domain: "" for what everybody may have, else the name of the restricted channel. Prefixes and
	// caches of different domains share nothing.
	Domain string `json:"domain,omitempty"`
	// Variables are the spec's operating-system variables.
	Variables map[string]string `json:"variables,omitempty"`
	// Scripts lets activation scripts that packages bring run while the prefix is built. It makes a private prefix.
	Scripts bool `json:"scripts,omitempty"`
}

// ID is the name of the prefix that l and o make: 16 hexadecimal digits. Equal content has equal names, whoever asks.
func ID(l *lock.Lock, o Options) string { return IDOf(l.ID(), l.Platform, o) }

// IDOf is ID for who knows the ID of the lock already.
func IDOf(lockID, platform string, o Options) string {
	if len(o.Variables) == 0 {
		o.Variables = nil // none and empty are the same
	}
	b, _ := json.Marshal(struct {
		Layout   int // of prefixes; a change makes all anew
		Lock     string
		Platform string
		Options  Options
	}{1, lockID, platform, o})
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// Manifest says that a prefix is whole and what it is. It is written last and never changes.
type Manifest struct {
	ID   string    `json:"id"`
	Lock string    `json:"lock"` // the lock's ID
	Kind lock.Kind `json:"kind"`
	// Options that it was built with.
	Options Options `json:"options"`
	Prefix  string  `json:"prefix"` // absolute
	Bin     string  `json:"bin"`    // belongs in front of PATH
	// Python is the interpreter, absolute; empty where there is none. PythonVersion is "3.11.7".
	Python        string `json:"python,omitempty"`
	PythonVersion string `json:"python_version,omitempty"`
	// Variables are what activation sets, without PATH.
	Variables   map[string]string `json:"variables,omitempty"`
	Kernelspecs []Kernelspec      `json:"kernelspecs,omitempty"`
	// Packages, sorted by name. Requested is as the first spec asked that led here.
	Packages []Item `json:"packages"`
	Link     string `json:"link"` // how most files came into it: "hardlink", "reflink" or "copy"
	Files    int    `json:"files"`
	// Bytes is what its files take on disk, OwnBytes the part that it shares with nothing: it is what this prefix costs.
	Bytes    int64     `json:"bytes"`
	OwnBytes int64     `json:"own_bytes"`
	Tool     string    `json:"tool,omitempty"` // what built it
	Finished time.Time `json:"finished"`
}

// Kernelspec is one that a prefix brings, in share/jupyter/kernels.
type Kernelspec struct {
	Name        string `json:"name"` // the folder's
	DisplayName string `json:"display_name"`
	Language    string `json:"language"`
}

// Item is one installed package.
type Item struct {
	Name      string   `json:"name"`
	Version   string   `json:"version"`
	Build     string   `json:"build,omitempty"`
	From      string   `json:"from"` // "conda" or "pip"
	Channel   string   `json:"channel,omitempty"`
	License   string   `json:"license,omitempty"`
	URL       string   `json:"url"`
	SHA256    string   `json:"sha256"`
	Size      int64    `json:"size"` // bytes of the artifact
	Requires  []string `json:"requires,omitempty"`
	Requested bool     `json:"requested"` // the spec names it
}

// Task is what a builder is to do.
type Task string

// The tasks.
const (
	TaskBuild   Task = "build"   // make the prefix; the zero value means it too
	TaskArchive Task = "archive" // pack the prefix
)

// Order is what a builder is told, in a file that only we can read.
type Order struct {
	Task Task `json:"task"`
	// Worker names the workload that carries it out, where that is not the one that its id stands for.
	Worker  string     `json:"worker,omitempty"`
	Lock    *lock.Lock `json:"lock"`
	Options Options    `json:"options"`
	// Requested are the normalised names that the spec asks for.
	Requested []string `json:"requested,omitempty"`
	Tools     Tools    `json:"tools"`
	Limits    Limits   `json:"limits"`
	// Hosts are addresses and hosts of indexes and files that may be inside of the network around.
	Hosts []string `json:"hosts,omitempty"`
	// Bases are the interpreters of this host that environments of wheels may stand on; empty means those on PATH.
	Bases []string `json:"bases,omitempty"`
	// Alias, ChannelURLs, Index and AuthFile are as the solver had them; the file holds credentials, the order does not.
	Alias       string            `json:"alias,omitempty"`
	ChannelURLs map[string]string `json:"channel_urls,omitempty"`
	Index       string            `json:"index,omitempty"`
	AuthFile    string            `json:"auth_file,omitempty"`
	Offline     bool              `json:"offline,omitempty"`
}

// Tools are the programs that builders use, absolute paths. It converts to and from tools.Tools.
type Tools struct {
	Python    string `json:"python"`
	UV        string `json:"uv"`
	CondaPack string `json:"conda_pack"`
	Version   string `json:"version"`
}

// Limits bound one build. Zero means a default where one is named, else no limit.
type Limits struct {
	MemoryBytes int64 `json:"memory_bytes,omitempty"` // address space of each program that a builder starts
	// Phases are how long each may take; Default is 30 minutes each.
	Phases map[driver.Phase]time.Duration `json:"phases,omitempty"`
	// FreeBytes must stay free on the disk; default 1 GiB or a twentieth of the disk, whichever is less.
	FreeBytes int64 `json:"free_bytes,omitempty"`
	// MaxBytes bounds what the prefix may take on disk.
	MaxBytes int64 `json:"max_bytes,omitempty"`
}
