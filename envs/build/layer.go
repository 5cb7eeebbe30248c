package build

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
)

// Modules are compiled once for each artifact and interpreter, and linked into every prefix that holds both: compiling all of an
// environment takes seconds, linking it milliseconds. A folder of the layer holds the compiled modules of an artifact, named by
// their line in its index. What one interpreter has compiled is never run by another: it would be trusted with the other's
// environments.

// fate is what became of a source.
type fate byte

const (
	compiled fate = '=' // its compiled module is in the layer
	ownOnly  fate = '-' // it differs from prefix to prefix, or somebody else's file is in its place: compile it there
	hopeless fate = '!' // it does not compile
)

// source is one Python source of an artifact, by its path below the prefix.
type source struct {
	path string
	fate fate
}

const (
	indexFile  = "index"
	indexMagic = "hopyard pyc 1"
)

// encodeIndex writes the index of a folder of the layer.
func encodeIndex(sources []source) []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, indexMagic)
	for _, s := range sources {
		fmt.Fprintf(&b, "%c %s\n", s.fate, s.path)
	}
	return b.Bytes()
}

var errIndex = errors.New("not an index of compiled modules")

// decodeIndex reads an index. Every path in it is that of a source within a prefix.
func decodeIndex(b []byte) ([]source, error) {
	lines := bufio.NewScanner(bytes.NewReader(b))
	if !lines.Scan() || lines.Text() != indexMagic {
		return nil, errIndex
	}
	var sources []source
	for lines.Scan() {
		how, path, ok := strings.Cut(lines.Text(), " ")
		if !ok || len(how) != 1 || !strings.Contains("=-!", how) || !isSource(path) {
			return nil, fmt.Errorf("%w: line %q", errIndex, lines.Text())
		}
		sources = append(sources, source{path, fate(how[0])})
	}
	return sources, lines.Err()
}

// isSource says whether path is that of a Python source within a prefix, with a name that our files of lines can hold.
func isSource(path string) bool {
	return strings.HasSuffix(path, ".py") && filepath.IsLocal(path) && filepath.Clean(path) == path && !strings.ContainsAny(path, "\t\n\r")
}

// artifact is what a source belongs to.
type artifact struct {
	name   string
	sha256 string
	meta   string      // conda: the name of its file in conda-meta
	wheel  *lock.Wheel // pip
}

// layer brings compiled modules into one prefix.
type layer struct {
	b         *builder
	tag       string // "cpython-311"; empty where there is nothing to compile
	dir       string // of the layer, for that interpreter
	artifacts []artifact

	claims  map[string]int // source → index of the artifact that has it; conflicts have shared
	local   []string       // sources that are this prefix's alone
	missing []artifact     // those that nobody has compiled yet
	clashes int            // sources that two artifacts have
	fresh   []*fresh       // folders of the layer that are being made
	private []*module      // to compile in the prefix
	staging staging
}

// newLayer makes the layer of a build. It stages in a folder of its own below work.
func newLayer(b *builder, work string) (*layer, error) {
	l := &layer{b: b, tag: pythonTag(b.lock), claims: map[string]int{}}
	l.staging.dir = filepath.Join(work, "pyc")
	if l.tag == "" {
		return l, nil
	}
	by, err := compilerOf(b.lock)
	if err != nil {
		return nil, err
	}
	l.dir = filepath.Join(b.store.Compiled(b.order.Options.Domain), l.tag+"-"+by)
	for _, p := range b.lock.Packages {
		l.artifacts = append(l.artifacts, artifact{name: p.Name, sha256: p.SHA256, meta: cacheName(p) + ".json"})
	}
	for i := range b.lock.Wheels {
		w := &b.lock.Wheels[i]
		l.artifacts = append(l.artifacts, artifact{name: w.Name, sha256: w.SHA256, wheel: w})
	}
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return nil, err
	}
	return l, l.staging.begin()
}

func (l *layer) close() {
	for _, f := range l.fresh {
		if f.dir != "" {
			os.RemoveAll(f.dir)
		}
	}
	l.staging.end()
}

// pythonTag is what the interpreter puts into the names of compiled modules.
func pythonTag(l *lock.Lock) string {
	var python bool
	for _, p := range l.Packages {
		if p.Name == "pypy" || p.Name == "graalpy" {
			return "" // theirs are another kind, and another name
		}
		python = python || p.Name == "python"
	}
	major, minor, ok := strings.Cut(l.Python, ".")
	if n, err := strconv.Atoi(minor); !ok || err != nil || major != "3" || n < 7 || (l.Kind == lock.Conda && !python) {
		return "" // unchecked modules came with 3.7
	}
	return "cpython-" + major + minor
}

// compilerOf names the interpreter that a lock's modules are compiled by: of a conda environment, the artifacts of Python and of all that
// it needs, whose libraries it loads; else the interpreter of the host, by its file.
func compilerOf(l *lock.Lock) (string, error) {
	sum := sha256.New()
	if l.Kind == lock.Conda {
		for _, part := range closure(l, "python") {
			fmt.Fprintln(sum, part)
		}
		return hex.EncodeToString(sum.Sum(nil)[:8]), nil
	}
	if l.Base == nil {
		return "", driver.Failf(driver.SpecInvalid, "the lock names no interpreter to build on")
	}
	path, err := filepath.EvalSymlinks(l.Base.Path)
	if err != nil {
		return "", driver.Failf(driver.ToolFailed, "Python %s is no longer at %s; install it again, or solve anew (%w)", l.Base.Version, l.Base.Path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("look at the interpreter: %w", err)
	}
	fmt.Fprintln(sum, path, l.Base.Version, info.Size(), info.ModTime().UnixNano())
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

// folder is where the layer has the modules of an artifact.
func (l *layer) folder(a artifact) string { return filepath.Join(l.dir, a.sha256) }

// target is the path of a source's compiled module.
func (l *layer) target(path string) (dir, name string) {
	at, file := filepath.Split(path)
	return filepath.Join(at, "__pycache__"), strings.TrimSuffix(file, "py") + l.tag + ".pyc"
}

// stage links all that the layer has into folders that only need to be moved into the prefix once that is there.
func (l *layer) stage() error {
	for i, a := range l.artifacts {
		b, err := os.ReadFile(filepath.Join(l.folder(a), indexFile))
		if errors.Is(err, fs.ErrNotExist) {
			l.missing = append(l.missing, a)
			continue
		}
		if err != nil {
			return err
		}
		sources, err := decodeIndex(b)
		if err != nil {
			return fmt.Errorf("%s: %w", l.folder(a), err)
		}
		l.add(i, a, sources)
	}
	return l.staging.link()
}

// add notes the sources of an artifact that is in the layer.
func (l *layer) add(i int, a artifact, sources []source) {
	for n, s := range sources {
		switch {
		case !l.claim(i, s.path) || s.fate == ownOnly:
			l.local = append(l.local, s.path)
		case s.fate == compiled:
			dir, name := l.target(s.path)
			l.staging.add(dir, name, filepath.Join(l.folder(a), strconv.Itoa(n)))
		}
	}
}

// claim notes that a source is of artifact i. It is false when another one says the same: then nobody knows whose file
// is there, and what was compiled from the other must not be run.
func (l *layer) claim(i int, path string) bool {
	if other, ok := l.claims[path]; ok && other != i {
		l.clashes++
		dir, name := l.target(path)
		l.staging.drop(dir, name)
		return false
	}
	l.claims[path] = i
	return true
}

// place moves into the prefix what the layer had.
func (l *layer) place(root *os.Root) error { return l.staging.place(root) }

// prepare finds out what is to be compiled. It gives the folders of the prefix in which that will make files.
func (l *layer) prepare(root *os.Root) (dirs []string, err error) {
	if l.tag == "" || l.b.interpreter(root) == "" {
		l.missing, l.local = nil, nil
		return nil, nil
	}
	if err := l.b.misled(root); err != nil {
		return nil, err
	}
	if l.fresh, err = l.survey(); err != nil {
		return nil, err
	}
	return l.privates(root)
}

// compile compiles what the layer does not have, and what is this prefix's alone.
func (l *layer) compile(ctx context.Context, python string) error {
	modules := l.private
	for _, f := range l.fresh {
		modules = append(modules, f.modules...)
	}
	if len(modules) == 0 {
		return nil
	}
	c := &compiler{b: l.b, python: python}
	return c.compile(ctx, modules)
}

// placeFresh adds what was compiled to the layer, and places it. It says whether there was any.
func (l *layer) placeFresh(root *os.Root) (bool, error) {
	for _, f := range l.fresh {
		if err := l.keep(f); err != nil {
			return false, err
		}
	}
	if err := l.staging.link(); err != nil {
		return false, err
	}
	return len(l.fresh) > 0, l.staging.place(root)
}

// privates are the modules to compile where they are. Their folders are made here, with what else belongs into them.
func (l *layer) privates(root *os.Root) (dirs []string, err error) {
	seen := map[string]bool{}
	for _, path := range l.local {
		info, err := root.Lstat(path)
		if seen[path] || err != nil || !info.Mode().IsRegular() {
			continue
		}
		seen[path] = true
		dir, name := l.target(path)
		if err := l.staging.placeOne(root, dir); err != nil {
			return nil, err
		}
		if err := root.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if info, err := root.Lstat(dir); err != nil || !info.IsDir() {
			return nil, broken("", "%s is not a folder", dir)
		}
		// One that came with the package goes.
		if err := root.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, broken("", "%s cannot be replaced: %v", filepath.Join(dir, name), err)
		}
		if !seen[dir] {
			seen[dir] = true
			dirs = append(dirs, dir)
		}
		l.private = append(l.private, &module{
			source: filepath.Join(root.Name(), path), target: filepath.Join(root.Name(), dir, name), name: path,
		})
	}
	return dirs, nil
}

// fresh is a folder of the layer that is being made.
type fresh struct {
	artifact artifact
	index    int // of the artifact
	dir      string
	sources  []source
	modules  []*module // of those sources whose fate is compiled, in order
}

// survey finds the sources of the artifacts that are missing in the layer. All claims come before the first compilation: where two
// artifacts claim one file, nobody knows which of them is there, be it a module or the compiler itself, and nothing of it may
// get into what all environments share.
func (l *layer) survey() ([]*fresh, error) {
	var all []*fresh
	for _, a := range l.missing {
		i := l.position(a)
		sources, err := l.b.sources(a)
		if err != nil {
			return nil, err
		}
		for n := range sources {
			if !l.claim(i, sources[n].path) {
				sources[n].fate = ownOnly
			}
		}
		all = append(all, &fresh{artifact: a, index: i, sources: sources})
	}
	if l.clashes > 0 && len(all) > 0 {
		l.b.events.say("%d modules are in more than one package; what is compiled now stays private to this environment.", l.clashes)
		for _, f := range all {
			for _, s := range f.sources {
				l.local = append(l.local, s.path)
			}
		}
		return nil, nil
	}
	l.fresh = all // so that close removes their folders, come what may
	for _, f := range all {
		if err := l.begin(f); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (l *layer) position(a artifact) int {
	for i := range l.artifacts {
		if l.artifacts[i].sha256 == a.sha256 && l.artifacts[i].name == a.name {
			return i
		}
	}
	return -1
}

// begin makes the folder in which the modules of an artifact are compiled.
func (l *layer) begin(f *fresh) (err error) {
	if f.dir, err = os.MkdirTemp(l.dir, ".new-"); err != nil {
		return err
	}
	for n, s := range f.sources {
		switch s.fate {
		case ownOnly:
			l.local = append(l.local, s.path)
		case hopeless:
		case compiled:
			f.modules = append(f.modules, &module{
				source: filepath.Join(l.b.prefix(), s.path), target: filepath.Join(f.dir, strconv.Itoa(n)), name: s.path,
			})
		}
	}
	return nil
}

// keep adds a folder to the layer, whole or not at all, unless another builder was faster: then its modules are as good.
func (l *layer) keep(f *fresh) error {
	next := 0
	for n := range f.sources {
		if f.sources[n].fate != compiled {
			continue
		}
		m := f.modules[next]
		next++
		if !m.ok {
			f.sources[n].fate = hopeless
			continue
		}
		if err := os.Chmod(m.target, 0o444); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(f.dir, indexFile), encodeIndex(f.sources), 0o444); err != nil {
		return err
	}
	if err := os.Chmod(f.dir, 0o755); err != nil {
		return err
	}
	folder := l.folder(f.artifact)
	if err := os.Rename(f.dir, folder); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	b, err := os.ReadFile(filepath.Join(folder, indexFile))
	if err != nil {
		return err
	}
	sources, err := decodeIndex(b)
	if err != nil {
		return err
	}
	l.add(f.index, f.artifact, sources)
	return nil
}
