package conda

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
)

// table holds the packages that a helper has sent, by the numbers that both sides call them. helper.mu guards it.
type table struct {
	generation int
	packages   map[int]*lock.Package
	numbers    map[artifact]int
}

// artifact is what makes two records the same one.
type artifact struct{ url, sha256 string }

// solved is the helper's answer to a solve.
type solved struct {
	Generation int                        `json:"generation"`
	Records    []int                      `json:"records"`
	Channels   []string                   `json:"channels"`
	Virtual    []string                   `json:"virtual"`
	Seconds    float64                    `json:"seconds"` // that py-rattler took
	New        map[string]json.RawMessage `json:"new"`
	Missing    []int                      `json:"missing"` // of the artifacts to complete
}

// learn takes in the records that are new and gives those of the answer, sorted by name.
func (t *table) learn(s solved) ([]lock.Package, error) {
	if s.Generation != t.generation {
		*t = table{generation: s.Generation, packages: map[int]*lock.Package{}, numbers: map[artifact]int{}}
	}
	for word, raw := range s.New {
		number, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("read the helper's answer: %w", err)
		}
		p, err := packageOf(raw)
		if err != nil {
			return nil, err
		}
		t.packages[number] = &p
		t.numbers[artifact{p.URL, p.SHA256}] = number
	}
	return t.sorted(s.Records)
}

// sorted gives the packages of those numbers by their names. They are large: what is moved about is not they.
func (t *table) sorted(numbers []int) ([]lock.Package, error) {
	found := make([]*lock.Package, len(numbers))
	for i, number := range numbers {
		if found[i] = t.packages[number]; found[i] == nil {
			return nil, fmt.Errorf("read the helper's answer: record %d was never sent", number)
		}
	}
	slices.SortFunc(found, func(a, b *lock.Package) int { return strings.Compare(a.Name, b.Name) })
	packages := make([]lock.Package, len(found))
	for i, p := range found {
		packages[i] = *p
	}
	return packages, nil
}

// record is what of a channel's record goes into a lock.
type record struct {
	Name        string          `json:"name"`
	Version     string          `json:"version"`
	Build       string          `json:"build"`
	BuildNumber int             `json:"build_number"`
	Subdir      string          `json:"subdir"`
	URL         string          `json:"url"`
	SHA256      string          `json:"sha256"`
	MD5         string          `json:"md5"`
	Size        int64           `json:"size"`
	Depends     []string        `json:"depends"`
	Constrains  []string        `json:"constrains"`
	License     string          `json:"license"`
	Noarch      json.RawMessage `json:"noarch"`
	Timestamp   int64           `json:"timestamp"`
	Indexed     int64           `json:"indexed_timestamp"`
}

func packageOf(raw json.RawMessage) (lock.Package, error) {
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return lock.Package{}, fmt.Errorf("read a record of a channel: %w", err)
	}
	if r.SHA256 == "" {
		return lock.Package{}, &driver.Failure{
			Cause: driver.PackageBroken, Package: r.Name,
			Message: fmt.Sprintf("the channel gives no SHA-256 for %s %s; only packages with one can be locked", r.Name, r.Version),
		}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return lock.Package{}, fmt.Errorf("read a record of a channel: %w", err)
	}
	p := lock.Package{
		Name: r.Name, Version: r.Version, Build: r.Build, BuildNumber: r.BuildNumber, Subdir: r.Subdir, URL: r.URL, SHA256: r.SHA256,
		MD5: r.MD5, Size: r.Size, Depends: r.Depends, Constrains: r.Constrains, License: r.License, Timestamp: cmp.Or(r.Timestamp, r.Indexed),
		Record: compact.Bytes(),
	}
	_ = json.Unmarshal(r.Noarch, &p.Noarch) // a word; old channels have true here, which says no more than the subdir

	return lock.Vet(p), nil // once for all the locks that it will be in
}

// recordOf is the channel's record of a package, made of the lock's own words where the lock came without it.
func recordOf(p lock.Package) (json.RawMessage, error) {
	if len(p.Record) > 0 {
		return p.Record, nil
	}
	fields := map[string]any{
		"name": p.Name, "version": p.Version, "build": p.Build, "build_number": p.BuildNumber, "subdir": p.Subdir, "url": p.URL,
		"sha256": p.SHA256, "size": p.Size, "depends": nonNil(p.Depends), "constrains": nonNil(p.Constrains), "fn": fileName(p.URL),
	}
	for name, value := range map[string]string{"md5": p.MD5, "license": p.License, "noarch": p.Noarch} {
		if value != "" {
			fields[name] = value
		}
	}
	if p.Timestamp != 0 {
		fields["timestamp"] = p.Timestamp
	}
	return json.Marshal(fields)
}

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
