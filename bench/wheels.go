package main

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// wheelPackages are the wheels of the environments that are compared.
var wheelPackages = []string{"ipykernel", "numpy"}

// wheelPeer makes virtual environments without us, from the same index and on the same Python. pip and uv keep caches of their own.
type wheelPeer struct {
	s      *site
	dir    string
	python string
	list   string // file of requirements
}

// wheels prepares a peer in a folder.
func (s *site) wheels(ctx context.Context, dir string) (*wheelPeer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	w := &wheelPeer{s: s, dir: dir, python: s.tools.Python, list: filepath.Join(dir, "list.txt")}
	out, _, err := timed(ctx, nil, s.tools.Python, "-c", "import sys; print(sys._base_executable)")
	if err != nil {
		return nil, err
	}
	w.python = strings.TrimSpace(out)
	return w, w.want(strings.Join(wheelPackages, "\n") + "\n")
}

func (w *wheelPeer) want(requirements string) error {
	return os.WriteFile(w.list, []byte(requirements), 0o644)
}

func (w *wheelPeer) runUV(ctx context.Context, args ...string) (time.Duration, error) {
	env := []string{"UV_CACHE_DIR=" + filepath.Join(w.dir, "cache"), "UV_PYTHON_DOWNLOADS=never", "UV_NO_CONFIG=1"}
	_, took, err := timed(ctx, env, append([]string{w.s.tools.UV}, args...)...)
	return took, err
}

func (w *wheelPeer) uvInstall(ctx context.Context, venv string, what ...string) (time.Duration, error) {
	args := []string{"pip", "install", "--quiet", "--python", filepath.Join(venv, "bin/python"), "--index-url", w.s.index, "--link-mode", "hardlink", "--only-binary", ":all:"}
	return w.runUV(ctx, append(args, what...)...)
}

// uv makes one with uv alone, and tells how long both its commands took together.
func (w *wheelPeer) uv(ctx context.Context, venv string) (time.Duration, error) {
	made, err := w.runUV(ctx, "venv", "--quiet", "--no-project", "--python", w.python, venv)
	if err != nil {
		return 0, err
	}
	installed, err := w.uvInstall(ctx, venv, "-r", w.list)
	return made + installed, err
}

// pip makes one with venv and pip, which compiles what it installs.
func (w *wheelPeer) pip(ctx context.Context, venv string) (time.Duration, error) {
	_, made, err := timed(ctx, nil, w.python, "-m", "venv", venv)
	if err != nil {
		return 0, err
	}
	_, installed, err := timed(ctx, []string{"PIP_CACHE_DIR=" + filepath.Join(w.dir, "pip")}, filepath.Join(venv, "bin/python"), "-m", "pip", "install",
		"--quiet", "--disable-pip-version-check", "--only-binary=:all:", "--index-url", w.s.index, "-r", w.list)
	return made + installed, err
}

// wheelToggles are changes of one wheel and their opposites.
var wheelToggles = []string{"cowsay", "tabulate", "wheel", "idna"}

const wheelChanges = 7

// venv measures a change of one wheel in an environment of wheels beside uv alone and pip.
func (b *benchmark) venv(ctx context.Context) error {
	s, err := b.siteFor(ctx)
	if err != nil {
		return err
	}
	const project, name = "venv", "wheels"
	if err := s.project(ctx, project); err != nil {
		return err
	}
	text := "dependencies:\n  - python=3.11\n  - pip:\n    - " + strings.Join(wheelPackages, "\n    - ") + "\n"
	if err := s.create(ctx, project, map[string]any{"name": name, "kind": "venv", "text": text}); err != nil {
		return err
	}
	// All wheels together once, so that they are in the caches; with that lock no round ends.
	if _, _, _, err := s.edit(ctx, project, name, fromIndex(wheelToggles...)); err != nil {
		return err
	}
	if _, _, _, err := s.edit(ctx, project, name, removing(wheelToggles...)); err != nil {
		return err
	}
	w, err := s.wheels(ctx, filepath.Join(s.dir, "peer", "wheels"))
	if err != nil {
		return err
	}
	if err := b.warmWheels(ctx, w); err != nil {
		return err
	}
	return b.changeWheels(ctx, s, w, project, name)
}

func (b *benchmark) warmWheels(ctx context.Context, w *wheelPeer) error {
	if b.alone {
		return nil
	}
	if _, err := w.uv(ctx, filepath.Join(w.dir, "kept")); err != nil {
		return err
	}
	if _, err := w.uvInstall(ctx, filepath.Join(w.dir, "kept"), wheelToggles...); err != nil {
		return err
	}
	_, err := w.runUV(ctx, slices.Concat([]string{"pip", "uninstall", "--quiet", "--python", filepath.Join(w.dir, "kept/bin/python")}, wheelToggles)...)
	return err
}

func fromIndex(names ...string) map[string]any {
	var add []map[string]string
	for _, name := range names {
		add = append(add, map[string]string{"name": name, "from": "pip"})
	}
	return map[string]any{"add": add}
}

func (b *benchmark) changeWheels(ctx context.Context, s *site, w *wheelPeer, project, name string) error {
	var ours, uv, inPlace samples
	done := make([]bool, len(wheelToggles))
	for i := 1; i <= wheelChanges; i++ {
		n := bits.TrailingZeros(uint(i))
		edit := fromIndex(wheelToggles[n])
		if done[n] {
			edit = removing(wheelToggles[n])
		}
		done[n] = !done[n]
		_, ready, _, err := s.edit(ctx, project, name, edit)
		if err != nil {
			return err
		}
		ours = append(ours, ready.Seconds())
		if b.alone {
			continue
		}
		took, changed, err := w.same(ctx, i, done)
		if err != nil {
			return err
		}
		uv = append(uv, took.Seconds())
		if done[n] {
			inPlace = append(inPlace, changed.Seconds())
		}
	}
	b.figure("change of one wheel, warm cache, p50", ours.at(0.5), "s")
	if b.alone {
		return nil
	}
	venv := filepath.Join(w.dir, "pipped")
	took, err := w.pip(ctx, venv) // once: it takes long enough
	if err = errors.Join(err, os.RemoveAll(venv)); err != nil {
		return err
	}
	pip := took.Seconds()
	b.beside("change of one wheel, warm cache, p50", ours.at(0.5), uv.at(0.5), "s", "uv venv and uv pip install, new, not compiled", uv.at(0.5)/ours.at(0.5), 0)
	b.beside("change of one wheel, warm cache, p50", ours.at(0.5), inPlace.at(0.5), "s", "uv pip install into what is in use", inPlace.at(0.5)/ours.at(0.5), 0)
	b.beside("change of one wheel, warm cache, once", ours.at(0.5), pip, "s", "venv and pip, new, empty cache", pip/ours.at(0.5), 0)
	return nil
}

// same makes the same environment anew, and changes one that stays where it is.
func (w *wheelPeer) same(ctx context.Context, round int, chosen []bool) (anew, inPlace time.Duration, err error) {
	list := slices.Clone(wheelPackages)
	for i, yes := range chosen {
		if yes {
			list = append(list, wheelToggles[i])
		}
	}
	if err := w.want(strings.Join(list, "\n") + "\n"); err != nil {
		return 0, 0, err
	}
	venv := filepath.Join(w.dir, fmt.Sprintf("v%d", round))
	if anew, err = w.uv(ctx, venv); err != nil {
		return 0, 0, err
	}
	inPlace, err = w.uvInstall(ctx, filepath.Join(w.dir, "kept"), "-r", w.list)
	return anew, inPlace, errors.Join(err, os.RemoveAll(venv))
}
