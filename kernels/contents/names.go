package contents

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hopyard/hopyard/internal/problem"
)

// clean brings a path as clients write it to its one form: no slash at the ends, none doubled. What could never be a
// path of ours is not found; whether the rest exists is the operating system's to say.
func clean(p string) (string, error) {
	parts := strings.FieldsFunc(p, func(c rune) bool { return c == '/' })
	for _, part := range parts {
		if part == "." || part == ".." || strings.ContainsRune(part, 0) || !utf8.ValidString(part) {
			return "", notFound(p)
		}
	}
	return strings.Join(parts, "/"), nil
}

// isHidden tells whether any part of a clean path begins with a dot.
func isHidden(p string) bool { return strings.HasPrefix(p, ".") || strings.Contains(p, "/.") }

// hiddenAnswer makes the answer to a request for something hidden: reading does not find it, changing it is a mistake.
type hiddenAnswer func(path string) error

func hiddenNotFound(p string) error { return notFound(p) }

func hiddenInvalid(p string) error {
	return problem.New(problem.Invalid, "%q is hidden: names that begin with a dot are not for this page", p)
}

// unlisted tells which names a listing leaves out besides the hidden ones: what programs leave behind, as in Jupyter.
func unlisted(name string) bool {
	return strings.HasPrefix(name, ".") || name == "__pycache__" || strings.HasSuffix(name, ".pyc") ||
		strings.HasSuffix(name, ".pyo") || strings.HasSuffix(name, "~") || !utf8.ValidString(name)
}

// osPath is the path as os.Root wants it.
func osPath(p string) string {
	if p == "" {
		return "."
	}
	return p
}

// split parts a path into its folder and its name.
func split(p string) (dir, name string) {
	dir, name = path.Split(p)
	return strings.TrimSuffix(dir, "/"), name
}

var copySuffix = regexp.MustCompile(`-Copy\d*\.`)

// numbered yields name, then name with insert and 1, 2, … before its extension. The extension begins at the first dot, for notebooks at
// the last one.
func numbered(name, insert string) func(i int) string {
	base, ext := name, ""
	if before, ok := strings.CutSuffix(name, ".ipynb"); ok {
		base, ext = before, ".ipynb"
	} else if i := strings.IndexByte(name, '.'); i >= 0 {
		base, ext = name[:i], name[i:]
	}
	return func(i int) string {
		if i == 0 {
			return name
		}
		return fmt.Sprintf("%s%s%d%s", base, insert, i, ext)
	}
}

// untitled gives the name that something new of type t gets, and what stands before its number.
func untitled(t Type, ext string) (name, insert string, err error) {
	if strings.ContainsAny(ext, "/\x00") || !utf8.ValidString(ext) {
		return "", "", problem.New(problem.Invalid, "%q is no extension of a file name", ext)
	}
	switch t {
	case Directory:
		return "Untitled Folder" + ext, " ", nil
	case Notebook:
		return "Untitled.ipynb", "", nil
	default:
		return "untitled" + ext, "", nil
	}
}

// typeOf tells what a file is by its name.
func typeOf(name string) Type {
	if strings.HasSuffix(name, ".ipynb") {
		return Notebook
	}
	return File
}
