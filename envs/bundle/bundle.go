// Package bundle carries an environment to a host that reaches no network: its lock, every artifact of it, and the wheels that the
// tools are made of, in one tar file.
//
//	bundle.json                 what it is; the first file
//	lock.json environment.yml   the content, exact and as written
//	channel/<subdir>/           conda artifacts and a repodata.json: a channel that any tool can read
//	wheels/<sha256>/<file>      wheels of the environment
//	cache/<file>                wheels of the tools
//
// Loading puts them where builds look first: into the caches. Nothing in a bundle is trusted: every artifact is checked against the
// hash that the lock, or this program, has for it.
package bundle

import (
	"fmt"
	"path"
	"regexp"

	"github.com/hopyard/hopyard/envs/lock"
)

// version is that of the layout.
const version = 1

// About is what a bundle says of itself.
type About struct {
	Version     int    `json:"version"`
	Environment string `json:"environment"`
	Build       int    `json:"build"`
	Lock        string `json:"lock"` // the lock's ID
	Platform    string `json:"platform"`
	Tools       string `json:"tools,omitempty"` // what makes environments: "py-rattler 0.28.0, uv 0.13.9"
}

// Bundle is an environment to carry.
type Bundle struct {
	About
	Content *lock.Lock
	// Spec is its environment.yml, as written.
	Spec string
}

// The names of a bundle's files.
const (
	aboutName   = "bundle.json"
	lockName    = "lock.json"
	specName    = "environment.yml"
	repodata    = "repodata.json"
	channelName = "channel"
	wheelsName  = "wheels"
	cacheName   = "cache"
)

// Parts of names: no dot in front, no slash.
var (
	word = `[A-Za-z0-9_][A-Za-z0-9_.+!-]*`
	// file is every name that a bundle may have.
	file = regexp.MustCompile(`^(bundle\.json|lock\.json|environment\.yml|channel/` + word + `/` + word + `|wheels/[0-9a-f]{64}/` + word + `|cache/` + word + `)$`)
)

// artifact is where a conda package is in a bundle.
func artifact(p lock.Package) (string, error) {
	name := path.Join(channelName, p.Subdir, path.Base(p.URL))
	if !file.MatchString(name) {
		return "", fmt.Errorf("package %s has a name that a bundle cannot hold: %q", p.Name, name)
	}
	return name, nil
}
