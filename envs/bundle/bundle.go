// Package bundle carries environments to a host that reaches no network: their locks, every artifact of them, and the wheels that
// the tools, the pages and the first environment of a project are made of, in one tar file.
//
//	bundle.json                      what it is; the first file
//	environments/<n>/lock.json       the content, exact,
//	environments/<n>/environment.yml and as written; one folder for each environment, in their order
//	channel/<subdir>/                conda artifacts and a repodata.json: a channel that any tool can read
//	wheels/<sha256>/<file>           wheels of the environments
//	cache/<file>                     wheels of the tools, the pages and first environments
//	bundle.end                       empty; the last file
//
// Loading puts them where builds look first: into the caches. Nothing in a bundle is trusted: an artifact is taken where a lock, or
// this program, names it, and only with the hash that is said there. What comes from a private channel goes into the caches of those
// who may use that channel, by the rules of the host that loads it.
package bundle

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strconv"

	"github.com/hopyard/hopyard/envs/lock"
)

// version is that of the layout.
const version = 2

// Bundle is what is carried. Its JSON is what a bundle says of itself.
type Bundle struct {
	Version int `json:"version"`
	// Pythons are the versions of Python, "3.13", that have the wheels of a first environment.
	Pythons      []string      `json:"pythons,omitempty"`
	Environments []Environment `json:"environments,omitempty"`
}

// Environment is a build of one.
type Environment struct {
	Name     string `json:"name"`
	Build    int    `json:"build"`
	Lock     string `json:"lock"` // the lock's ID
	Platform string `json:"platform"`
	// Private are the private channels that it has artifacts of, by the names that they have where the bundle is from.
	Private []string `json:"private,omitempty"`
	// Closed are the hashes of those artifacts.
	Closed  []string   `json:"closed,omitempty"`
	Content *lock.Lock `json:"-"`
	// Spec is its environment.yml, as written.
	Spec string `json:"-"`
}

// Closed gives the hashes of the artifacts of l that are of private channels, by rules that give the trust domain of a lock.
func Closed(l *lock.Lock, domain func(*lock.Lock) string) []string {
	if domain(l) == "" {
		return nil
	}
	var hashes []string
	alone := lock.Lock{Version: l.Version, Kind: l.Kind, Platform: l.Platform}
	for i := range l.Packages {
		if alone.Packages = l.Packages[i : i+1]; domain(&alone) != "" {
			hashes = append(hashes, l.Packages[i].SHA256)
		}
	}
	alone.Packages = nil
	for i := range l.Wheels {
		if alone.Wheels = l.Wheels[i : i+1]; domain(&alone) != "" {
			hashes = append(hashes, l.Wheels[i].SHA256)
		}
	}
	return hashes
}

// The names of a bundle's files.
const (
	aboutName        = "bundle.json"
	endName          = "bundle.end"
	environmentsName = "environments"
	lockName         = "lock.json"
	specName         = "environment.yml"
	repodata         = "repodata.json"
	channelName      = "channel"
	wheelsName       = "wheels"
	cacheName        = "cache"
)

// maxEnvironments bounds what one bundle may say that it holds.
const maxEnvironments = 1000

// Parts of names: no dot in front, no slash.
var (
	word = `[A-Za-z0-9_][A-Za-z0-9_.+!-]*`
	// file is every name that an artifact may have.
	file = regexp.MustCompile(`^(channel/` + word + `/` + word + `|wheels/[0-9a-f]{64}/` + word + `|cache/` + word + `)$`)
	name = regexp.MustCompile(`^` + word + `$`)
)

// textName is where a text of the environment at place i is.
func textName(i int, name string) string {
	return path.Join(environmentsName, strconv.Itoa(i+1), name)
}

// packageName is where a conda package is in a bundle.
func packageName(p lock.Package) (string, error) {
	base := path.Base(p.URL)
	if plain, err := url.PathUnescape(base); err == nil {
		base = plain
	}
	name := path.Join(channelName, p.Subdir, base)
	if !file.MatchString(name) {
		return "", fmt.Errorf("package %s has a name that a bundle cannot hold: %q", p.Name, name)
	}
	return name, nil
}

// wheelName is where a wheel of an environment is in a bundle.
func wheelName(w lock.Wheel) (string, error) {
	name := path.Join(wheelsName, w.SHA256, w.Filename)
	if !file.MatchString(name) {
		return "", fmt.Errorf("wheel %s has a name that a bundle cannot hold: %q", w.Name, w.Filename)
	}
	return name, nil
}
