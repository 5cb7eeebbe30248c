package conda

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/uv"
)

// solveWheels adds the pip part to a lock that has its conda part.
func (d *Driver) solveWheels(ctx context.Context, req driver.Request, l *lock.Lock) error {
	if l.Python == "" {
		first := req.Spec.Pip[0]
		return &driver.Failure{
			Cause: driver.SpecInvalid, Line: first.Line, Column: first.Col,
			Message: "the pip part needs a Python to install into: add python to the dependencies",
		}
	}
	ask := uv.Request{
		Python: l.Python, PythonPath: d.c.Tools.Python, Platform: platform, Index: req.Index, Upgrade: req.Upgrade,
		MinimumAge: time.Duration(req.MinimumAgeSeconds) * time.Second,
	}
	for _, r := range req.Spec.Pip {
		ask.Requirements = append(ask.Requirements, r.Text)
	}
	for _, p := range l.Packages {
		for _, name := range distributions(p) {
			ask.Provided = append(ask.Provided, name)
			if release.MatchString(p.Version) {
				ask.Constraints = append(ask.Constraints, name+"=="+p.Version)
			}
		}
	}
	if req.Prefer != nil {
		ask.Prefer = req.Prefer.Wheels
	}
	wheels, err := d.uv.Compile(ctx, ask)
	if err != nil {
		return err
	}
	l.Wheels = wheels
	return d.nameIndex(ctx, req.Index, l)
}

// nameIndex says in the lock which index the wheels are from.
func (d *Driver) nameIndex(ctx context.Context, index string, l *lock.Lock) error {
	if len(l.Wheels) == 0 {
		return nil
	}
	if index == "" {
		var err error
		if index, err = d.uv.DefaultIndex(ctx); err != nil {
			return err
		}
	}
	l.Indexes = []string{redact(index)}
	return nil
}

// release matches the versions that uv reads, too (PEP 440). Others cannot be a constraint; the name is provided all the same.
var release = regexp.MustCompile(`(?i)^(\d+!)?\d+(\.\d+)*[._-]?((a|b|c|rc|alpha|beta|pre|preview)[._-]?\d*)?[._-]?((post|rev|r)[._-]?\d*)?[._-]?(dev[._-]?\d*)?(\+[a-z0-9]+([._-][a-z0-9]+)*)?$`)

// otherNames are conda packages whose Python distribution has another name.
var otherNames = map[string]string{
	"pytorch": "torch", "pytorch-cpu": "torch", "pytorch-gpu": "torch", "msgpack-python": "msgpack", "pytables": "tables",
	"matplotlib-base": "matplotlib", "dask-core": "dask", "seaborn-base": "seaborn", "tensorflow-base": "tensorflow",
	"py-opencv": "opencv-python", "pyarrow-core": "pyarrow", "python-graphviz": "graphviz", "python-kubernetes": "kubernetes",
	"pymysql": "pymysql", "psycopg2-binary": "psycopg2", "py-xgboost": "xgboost", "brotli-python": "brotli", "python-lmdb": "lmdb",
	"importlib_metadata": "importlib-metadata",
}

// distributions are the normalised names of the Python distributions that a conda package provides: those that its record
// names, else its own name where it is a package for Python.
func distributions(p lock.Package) []string {
	if names := purls(p.Record); len(names) > 0 {
		return names
	}
	if p.Name == "python" || !dependsOn(p.Depends, "python") && !strings.EqualFold(p.Noarch, "python") {
		return nil
	}
	if other, ok := otherNames[p.Name]; ok {
		return []string{other}
	}
	return []string{normal(p.Name)}
}

// purls reads the addresses of kind "pkg:pypi/numpy" in a channel's record.
func purls(raw json.RawMessage) []string {
	var r struct {
		Purls []string `json:"purls"`
	}
	if json.Unmarshal(raw, &r) != nil {
		return nil
	}
	var names []string
	for _, purl := range r.Purls {
		if name, ok := strings.CutPrefix(purl, "pkg:pypi/"); ok {
			name, _, _ = strings.Cut(name, "@")
			name, _, _ = strings.Cut(name, "?")
			names = append(names, normal(name))
		}
	}
	return names
}

var separators = regexp.MustCompile(`[-_.]+`)

// normal is a distribution's name as PEP 503 has it.
func normal(name string) string { return separators.ReplaceAllString(strings.ToLower(name), "-") }
