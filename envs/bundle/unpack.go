package bundle

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"unicode"

	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/internal/wheels"
)

// maxText is the most that one of a bundle's texts may have, in bytes.
const maxText = 64 << 20

// reader takes a bundle apart. What it reads may be anything.
type reader struct {
	tar  *tar.Reader
	root *os.Root
	want map[string]*wanted // by name
}

// wanted is an artifact that a bundle must or may have.
type wanted struct {
	sha256, title string
	size          int64 // bytes; 0 where it is not known
	needed, here  bool
}

// next goes to the next file, which is a plain one of the tar: what makes a few bytes many is none.
func (r *reader) next(ctx context.Context) (*tar.Header, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	h, err := r.tar.Next()
	if errors.Is(err, io.EOF) {
		return nil, problem.New(problem.Invalid, "this is no bundle, or only a part of one: it has no end")
	}
	if err != nil {
		return nil, problem.New(problem.Invalid, "this is no bundle, or only a part of one: %w", err)
	}
	odd := h.Typeflag != tar.TypeReg
	for key := range h.PAXRecords {
		odd = odd || key != "path" && key != "size"
	}
	if odd {
		return nil, problem.New(problem.Invalid, "the bundle holds %q, which is no plain file", h.Name)
	}
	return h, nil
}

// text reads the next file, which has that name.
func (r *reader) text(ctx context.Context, name string) ([]byte, error) {
	h, err := r.next(ctx)
	if err != nil {
		return nil, err
	}
	if h.Name != name {
		return nil, problem.New(problem.Invalid, "this is no bundle: it has %q in the place of %s", h.Name, name)
	}
	if h.Size > maxText {
		return nil, problem.New(problem.Invalid, "this is no bundle: its %s has %d bytes", name, h.Size)
	}
	text, err := io.ReadAll(r.tar)
	if err != nil {
		return nil, problem.New(problem.Invalid, "this is only a part of a bundle: %w", err)
	}
	return text, nil
}

// about reads what the bundle is: all its texts.
func (r *reader) about(ctx context.Context) (Bundle, error) {
	var b Bundle
	text, err := r.text(ctx, aboutName)
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return b, problem.New(problem.Invalid, "this is no bundle: %w", err)
	}
	switch {
	case b.Version != version:
		return b, problem.New(problem.Unsupported, "the bundle has layout %d, and this hopyard reads %d: write it anew with a hopyard of this version", b.Version, version)
	case len(b.Environments) > maxEnvironments:
		return b, problem.New(problem.Invalid, "this is no bundle: it says that it holds %d environments", len(b.Environments))
	}
	names := map[string]bool{}
	for i := range b.Environments {
		e := &b.Environments[i]
		if !name.MatchString(e.Name) || names[e.Name] {
			return b, problem.New(problem.Invalid, "this is no bundle: %q is no name for an environment, or that of two", e.Name)
		}
		for _, channel := range e.Private {
			if channel == "" || strings.ContainsFunc(channel, func(r rune) bool { return !unicode.IsPrint(r) }) {
				return b, problem.New(problem.Invalid, "this is no bundle: %q is no name for a channel", channel)
			}
		}
		names[e.Name] = true
		if err := r.environment(ctx, i, e); err != nil {
			return b, err
		}
	}
	return b, nil
}

// environment reads the texts of one.
func (r *reader) environment(ctx context.Context, i int, e *Environment) error {
	text, err := r.text(ctx, textName(i, lockName))
	if err != nil {
		return err
	}
	if e.Content, err = lock.Decode(text); err != nil {
		return problem.New(problem.Invalid, "the lock of %s in the bundle: %w", e.Name, err)
	}
	if e.Content.ID() != e.Lock {
		return problem.New(problem.Invalid, "the lock of %s in the bundle is not the one that the bundle names", e.Name)
	}
	text, err = r.text(ctx, textName(i, specName))
	e.Spec = string(text)
	return err
}

// expect says which artifacts there may be: those of the locks, which must be there, and pinned wheels.
func (r *reader) expect(b Bundle, pins []wheels.Wheel) error {
	r.want = map[string]*wanted{}
	for _, e := range b.Environments {
		for _, p := range e.Content.Packages {
			name, err := packageName(p)
			if err != nil {
				return problem.New(problem.Invalid, "the bundle: %w", err)
			}
			if err := r.add(name, wanted{sha256: p.SHA256, size: p.Size, needed: true, title: path.Base(name)}); err != nil {
				return err
			}
		}
		for _, w := range e.Content.Wheels {
			name, err := wheelName(w)
			if err != nil {
				return problem.New(problem.Invalid, "the bundle: %w", err)
			}
			if err := r.add(name, wanted{sha256: w.SHA256, size: w.Size, needed: true, title: w.Filename}); err != nil {
				return err
			}
		}
	}
	for _, pin := range pins {
		if err := r.add(path.Join(cacheName, pin.Filename), wanted{sha256: pin.SHA256, size: pin.Size, title: pin.Filename}); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) add(name string, w wanted) error {
	if old := r.want[name]; old != nil && old.sha256 != w.sha256 {
		return problem.New(problem.Invalid, "the bundle's locks want two different files that are called %s", w.title)
	}
	r.want[name] = &w
	return nil
}

// artifacts writes all that is wanted below the root, checked, and sees that nothing lacks.
func (r *reader) artifacts(ctx context.Context) error {
	for {
		h, err := r.next(ctx)
		if err != nil {
			return err
		}
		if h.Name == endName {
			return r.lacking()
		}
		want := r.want[h.Name]
		switch {
		case !file.MatchString(h.Name), want == nil && !optional(h.Name):
			return problem.New(problem.Invalid, "the bundle holds %q, which has no place in one", h.Name)
		case want == nil:
			continue // for people and other tools, or wheels of another version's tools
		case want.here:
			return problem.New(problem.Invalid, "the bundle has %s twice", want.title)
		}
		if err := r.artifact(ctx, h.Name, want); err != nil {
			return err
		}
	}
}

// optional says whether a file may be in a bundle although nothing here wants it.
func optional(name string) bool {
	return path.Base(name) == repodata || path.Dir(name) == cacheName
}

// lacking names the first artifact that is needed and not there.
func (r *reader) lacking() error {
	for _, want := range r.want {
		if want.needed && !want.here {
			return problem.New(problem.Invalid, "the bundle lacks %s", want.title)
		}
	}
	return nil
}

// artifact writes one and checks it.
func (r *reader) artifact(ctx context.Context, name string, want *wanted) error {
	if err := r.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := r.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, hash), &interruptible{ctx, r.tar})
	err = errors.Join(err, f.Close())
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return problem.New(problem.Invalid, "this is only a part of a bundle: it ends within %s", want.title)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return problem.New(problem.NoSpace, "the disk is full: a bundle needs about five times its size while it is loaded")
	case err != nil:
		return fmt.Errorf("unpack %s: %w", want.title, err)
	case want.size > 0 && n != want.size, hex.EncodeToString(hash.Sum(nil)) != want.sha256:
		return problem.New(problem.Invalid, "%s in the bundle is not what its lock says", want.title)
	}
	want.here = true
	return nil
}

// interruptible ends a long copy with its context.
type interruptible struct {
	ctx  context.Context
	from io.Reader
}

func (r *interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}

// exists says whether a file was unpacked.
func exists(root *os.Root, name string) bool {
	_, err := root.Stat(name)
	return !errors.Is(err, fs.ErrNotExist)
}
