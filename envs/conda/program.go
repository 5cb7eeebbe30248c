package conda

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
)

//go:embed helper/*.py
var program embed.FS

// loader runs the program as modules: Python keeps what it has compiled of modules, but compiles a script at each start, which
// takes a tenth of the time that a helper needs to start.
const loader = `import sys; sys.path.append(sys.argv[1]); from helper import loop; loop.run()`

// modules is the program by the names of its files, with a name that stands for all of it.
var modules = sync.OnceValues(func() (map[string][]byte, string) {
	files, sum := map[string][]byte{}, sha256.New()
	err := fs.WalkDir(program, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := program.ReadFile(name)
		files[name] = text
		fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
		return err
	})
	if err != nil {
		panic(err) // it is part of this program
	}
	return files, hex.EncodeToString(sum.Sum(nil)[:6])
})

// placeProgram writes the helper's program below the cache, by its hash, so that processes of different versions do not meet,
// and gives its folder. Each process looks at all files before it starts a helper, so that none finds half of them.
func placeProgram(cache string) (string, error) {
	files, hash := modules()
	folder := filepath.Join(cache, "helper-"+hash)
	for name, text := range files {
		if err := placeFile(filepath.Join(folder, filepath.FromSlash(name)), text); err != nil {
			return "", fmt.Errorf("write the helper's %s: %w", path.Base(name), err)
		}
	}
	return folder, nil
}

// placeFile has a file hold text, and no other process see less of it.
func placeFile(file string, text []byte) error {
	if there, err := os.ReadFile(file); err == nil && bytes.Equal(there, text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	draft, err := os.CreateTemp(filepath.Dir(file), ".draft-")
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	_, err = draft.Write(text)
	if err = errors.Join(err, draft.Close()); err != nil {
		return err
	}
	return os.Rename(draft.Name(), file)
}
