// Package lab prepares the tree of static files behind the JupyterLab and Notebook 7 pages: bundles, settings schemas,
// themes, lab extensions and icons, unmodified, out of the published wheels.
//
// A tree is made once per set of pins, in a folder named for its content, and never changed afterwards. Texts are
// compressed while it is made, so that serving them costs no CPU time.
package lab

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/hopyard/hopyard/internal/wheels"
)

//go:embed wheels.txt
var pinned string

// own is the lab extension of ours.
//
//go:embed extension
var own embed.FS

// ownName is its name and its folder among the extensions.
const ownName = "@hopyard/environment"

// recipe is part of the tree's name: raise it when the same wheels are to give another tree.
const recipe = "1"

// Folders and files of a tree, relative to it.
const (
	LabStatic      = "lab/static"
	LabSchemas     = "lab/schemas"
	LabThemes      = "lab/themes"
	Extensions     = "labextensions"
	NotebookStatic = "notebook/static"
	notebookPages  = "notebook/templates"
	Favicons       = "favicons"
)

// takes says which parts of which wheel go where. Notebook's settings schemas join Lab's, as pip would have them.
func takes(w wheels.Wheel) []wheels.Subtree {
	data := w.Name + "-" + w.Version + ".data/data/share/jupyter/"
	extensions := wheels.Subtree{From: data + "labextensions", To: Extensions}
	switch w.Name {
	case "jupyterlab":
		return []wheels.Subtree{
			{From: data + LabStatic, To: LabStatic},
			{From: data + LabSchemas, To: LabSchemas},
			{From: data + LabThemes, To: LabThemes},
		}
	case "notebook":
		return []wheels.Subtree{
			{From: data + LabSchemas, To: LabSchemas},
			{From: "notebook/static", To: NotebookStatic},
			{From: "notebook/templates", To: notebookPages},
			extensions,
		}
	case "jupyter_server":
		return []wheels.Subtree{{From: "jupyter_server/static/favicons", To: Favicons}}
	default:
		return []wheels.Subtree{extensions}
	}
}

// Pins are the wheels that the tree is made of.
func Pins() []wheels.Wheel {
	pins, err := wheels.Parse(strings.NewReader(pinned))
	if err != nil {
		panic(err) // embedded, and read by the tests
	}
	return pins
}

// Prepare returns the tree below dir, fetching and unpacking what is missing; with everything there it takes a few
// milliseconds. Several processes may prepare the same dir at once. The caller closes the Tree.
func Prepare(ctx context.Context, dir string, fetcher *wheels.Fetcher, tell func(step string)) (*Tree, error) {
	pins := Pins()
	dest := filepath.Join(dir, "ui", identity(pins))
	err := wheels.Once(ctx, dest, func(ctx context.Context, tmp string) error {
		return build(ctx, tmp, fetcher, pins, tell)
	})
	if err != nil {
		return nil, fmt.Errorf("prepare JupyterLab's files: %w", err)
	}
	return Open(dest)
}

// identity names a tree by everything that it is made of.
func identity(pins []wheels.Wheel) string {
	h := sha256.New()
	_, _ = io.WriteString(h, recipe)
	for _, w := range pins {
		_, _ = io.WriteString(h, "\n"+w.SHA256)
	}
	for _, name := range ownFiles {
		text, err := own.ReadFile("extension/" + name)
		if err != nil {
			panic(err) // embedded
		}
		_, _ = h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func build(ctx context.Context, dir string, fetcher *wheels.Fetcher, pins []wheels.Wheel, tell func(string)) error {
	paths, err := fetcher.Fetch(ctx, pins)
	if err != nil {
		return err
	}
	tell("unpacking")
	for i, w := range pins {
		if err := wheels.Extract(ctx, paths[i], dir, takes(w)...); err != nil {
			return err
		}
	}
	if err := addOwn(dir); err != nil {
		return err
	}
	tell("compressing what browsers ask for")
	return compress(ctx, dir)
}

var ownFiles = []string{"package.json", "static/remoteEntry.js"}

// addOwn puts our extension beside those of the wheels.
func addOwn(dir string) error {
	for _, name := range ownFiles {
		text, err := own.ReadFile("extension/" + name)
		if err != nil {
			return fmt.Errorf("our extension: %w", err)
		}
		to := filepath.Join(dir, Extensions, ownName, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return fmt.Errorf("our extension: %w", err)
		}
		if err := os.WriteFile(to, text, 0o644); err != nil {
			return fmt.Errorf("our extension: %w", err)
		}
	}
	return nil
}

// Tree is a prepared tree, open for reading. It is safe for concurrent use.
type Tree struct {
	root *os.Root
	// Name identifies the content: two trees of one name are equal.
	Name string
	// LabVersion and NotebookVersion are those of the bundles.
	LabVersion, NotebookVersion string
	// LabScript and NotebookScript are the scripts that start each application, relative to its static folder, with
	// the query that tells versions apart.
	LabScript, NotebookScript string
	// Extensions are the lab extensions in the tree, by name.
	Extensions []Extension
}

// Open opens the tree in dir, as Prepare left it.
func Open(dir string) (*Tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open JupyterLab's files: %w", err)
	}
	t := &Tree{root: root, Name: filepath.Base(dir)}
	if err := t.inspect(); err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("read JupyterLab's files in %s: %w", dir, err)
	}
	return t, nil
}

func (t *Tree) inspect() (err error) {
	if t.LabScript, err = t.script(path.Join(LabStatic, "index.html")); err != nil {
		return err
	}
	if t.NotebookScript, err = t.script(path.Join(notebookPages, "tree.html")); err != nil {
		return err
	}
	if t.LabVersion, err = t.version(path.Join(LabSchemas, "@jupyterlab/application-extension/package.json.orig")); err != nil {
		return err
	}
	if t.NotebookVersion, err = t.version(path.Join(LabSchemas, "@jupyter-notebook/application-extension/package.json.orig")); err != nil {
		return err
	}
	t.Extensions, err = t.extensions()
	return err
}

// Root gives the tree's files. It belongs to the Tree.
func (t *Tree) Root() *os.Root { return t.root }

// Close closes the tree's root.
func (t *Tree) Close() error { return t.root.Close() }
