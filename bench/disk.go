package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// extras are nine packages of usual size; each of ten projects but the first has two of them that the first has not.
var extras = []string{"wheel", "setuptools", "traitlets=5.14.3", "urllib3", "certifi", "filetype", "idna", "charset-normalizer", "widgetsnbextension"}

// disk measures what ten projects need on disk that have all packages but two in common, of a small environment and of one of usual
// size: what a prefix has of its own, its folders above all, does not grow as the packages do.
func (b *benchmark) disk(ctx context.Context) error {
	s, err := b.siteFor(ctx)
	if err != nil {
		return err
	}
	if s.edited {
		// The store must hold one environment and nothing else.
		s.close()
		b.site = nil
		if s, err = b.siteFor(ctx); err != nil {
			return err
		}
	}
	times, err := b.diskOfTen(ctx, s, "small")
	if err != nil {
		return err
	}
	if !b.alone {
		if err := errors.Join(b.diskOfRattler(ctx, s, times), b.diskOfUV(ctx, s, times), b.diskOfPip(ctx, s, times)); err != nil {
			return err
		}
	}
	larger := &site{b: b, starter: science}
	defer larger.close()
	if larger.science, err = s.scienceChannel(ctx); err != nil {
		return err
	}
	if err := larger.start(ctx); err != nil {
		return err
	}
	_, err = b.diskOfTen(ctx, larger, "data science")
	return err
}

// diskOfTen gives what ten projects need, in multiples of what one needs.
func (b *benchmark) diskOfTen(ctx context.Context, s *site, kind string) (times float64, err error) {
	one, err := diskUse(s.store())
	if err != nil {
		return 0, err
	}
	first, err := ownOf(s.store())
	if err != nil {
		return 0, err
	}
	text, err := s.export(ctx, "demo", "python", "explicit")
	if err != nil {
		return 0, err
	}
	for i := range extras {
		project := fmt.Sprintf("disk-%d", i)
		if err := s.project(ctx, project); err != nil {
			return 0, err
		}
		if _, _, _, err := s.edit(ctx, project, "python", adding(extras[i], extras[(i+1)%len(extras)])); err != nil {
			return 0, err
		}
	}
	ten, err := diskUse(s.store())
	if err != nil {
		return 0, err
	}
	all, err := ownOf(s.store())
	if err != nil {
		return 0, err
	}
	folders, files := all.folders-first.folders, all.files-first.files
	b.figure(kind+", one project: the store, with cache and compiled modules", one, "MB")
	b.figure(kind+", nine more: folders of the prefixes", folders, "MB")
	b.figure(kind+", nine more: files that one prefix has alone", files, "MB")
	b.figure(kind+", nine more: packages and modules that the first has not, manifests, logs", ten-one-folders-files, "MB")
	b.figure(kind+", ten projects without the folders of prefixes", (ten-all.folders)/(one-first.folders), "times one project's")
	packages := len(exact(text))
	b.atMost(fmt.Sprintf("%s: disk of ten projects that share %d of %d packages", kind, packages, packages+2), ten/one, "times one project's", 1.15)
	return ten / one, nil
}

// owned is what prefixes share with nobody, in MB.
type owned struct{ folders, files float64 }

// ownOf adds up what is only in prefixes.
func ownOf(store string) (o owned, err error) {
	err = filepath.WalkDir(filepath.Join(store, "b"), func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return nil
		}
		switch size := float64(st.Blocks) * 512 / 1e6; {
		case entry.IsDir():
			o.folders += size
		case st.Nlink == 1:
			o.files += size
		}
		return nil
	})
	return o, err
}

// diskUse adds up the blocks below folders in MB, each inode once.
func diskUse(folders ...string) (float64, error) {
	seen := map[uint64]bool{}
	var blocks int64
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if st, ok := info.Sys().(*syscall.Stat_t); ok && !seen[st.Ino] {
				seen[st.Ino] = true
				blocks += st.Blocks
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return float64(blocks) * 512 / 1e6, nil
}

// several is how many of the same are made of what grows evenly; the rest is worked out.
const several = 3

// grown notes what ten need by what several needed, beside ours.
func (b *benchmark) grown(ours float64, peer string, sizes []float64) {
	first, each := sizes[0], (sizes[len(sizes)-1]-sizes[0])/float64(len(sizes)-1)
	ten := (first + 9*each) / first
	b.figure(peer+": one, with its cache", first, "MB")
	b.figure(peer+": one more of the same", each, "MB")
	b.beside("disk of ten projects (theirs worked out from the first "+number(float64(len(sizes)))+")", ours, ten, "times one project's", peer, ten/ours, 0)
}

func (b *benchmark) diskOfRattler(ctx context.Context, s *site, ours float64) error {
	if _, err := s.teach(ctx, "demo", "python"); err != nil {
		return err
	}
	var prefixes []string
	var sizes []float64
	for range several {
		prefix, _, err := s.peer.install()
		if err != nil {
			return err
		}
		prefixes = append(prefixes, prefix)
		size, err := diskUse(append(prefixes, s.peer.packages)...)
		if err != nil {
			return err
		}
		sizes = append(sizes, size)
	}
	b.grown(ours, rattlerAlone+", not compiled", sizes)
	// What nobody has compiled Python compiles by itself, into every prefix, as soon as it is used.
	for i, prefix := range prefixes {
		if err := output(ctx, filepath.Join(prefix, "bin/python"), "-m", "compileall", "-q", "-j2", filepath.Join(prefix, "lib")); err != nil && i < 0 {
			return err
		}
		if i == 0 {
			size, err := diskUse(append(prefixes, s.peer.packages)...)
			if err != nil {
				return err
			}
			b.figure(rattlerAlone+": compiled modules of one", size-sizes[several-1], "MB")
			break
		}
	}
	for _, prefix := range prefixes {
		if err := os.RemoveAll(prefix); err != nil {
			return err
		}
	}
	return nil
}

func (b *benchmark) diskOfUV(ctx context.Context, s *site, ours float64) error {
	dir := filepath.Join(s.dir, "peer", "uvdisk")
	w, err := s.wheels(ctx, dir)
	if err != nil {
		return err
	}
	var sizes []float64
	for i := range several {
		if _, err := w.uv(ctx, filepath.Join(dir, fmt.Sprintf("v%d", i))); err != nil {
			return err
		}
		size, err := diskUse(dir)
		if err != nil {
			return err
		}
		sizes = append(sizes, size)
	}
	b.grown(ours, "uv, hard links, not compiled, without Python", sizes)
	return os.RemoveAll(dir)
}

func (b *benchmark) diskOfPip(ctx context.Context, s *site, ours float64) error {
	dir := filepath.Join(s.dir, "peer", "pipdisk")
	w, err := s.wheels(ctx, dir)
	if err != nil {
		return err
	}
	if _, err := w.pip(ctx, filepath.Join(dir, "v")); err != nil {
		return err
	}
	size, err := diskUse(filepath.Join(dir, "v"))
	if err != nil {
		return err
	}
	b.grown(ours, "venv and pip, without Python", []float64{size, 2 * size})
	return os.RemoveAll(dir)
}
