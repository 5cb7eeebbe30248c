package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/doctor"
	"golang.org/x/sys/unix"
)

const (
	// roomWanted is what a usual environment takes with its downloads, in bytes, inodesWanted how many files it may have.
	roomWanted   = 2 << 30
	inodesWanted = 100_000
)

// storeCheck says how environments share their files, and tries whether one could be built: that there is room, that files can be
// written, linked from each cache, and started.
func storeCheck(ctx context.Context, c Config) doctor.Check {
	check := doctor.Check{Name: "Environment store", Status: doctor.OK, Means: "environments share the files of equal packages where the file system can"}
	dir := c.prepared().envs()
	if _, err := os.Stat(filepath.Join(dir, "b")); err != nil {
		check.Status, check.Found, check.Mend = doctor.Warn, "not made yet", "`hopyard serve` makes it"
		if len(dir) > store.MaxRoot {
			check.Status, check.Mend = doctor.Missing, fmt.Sprintf("its path has %d characters and may have %d: choose a shorter data directory", len(dir), store.MaxRoot)
		}
		return check
	}
	met := tryRoom(dir)
	if met.status == doctor.Missing {
		return met.on(check, dir)
	}
	s, err := store.Open(dir)
	if err != nil {
		return unwritable(err).on(check, dir)
	}
	check.Found = "at " + dir + ", files are shared by " + s.Link()
	for _, next := range []trouble{tryStart(ctx, s), met, tryLinks(s)} {
		if next.found != "" {
			return next.on(check, dir)
		}
	}
	return check
}

// on is a check that has met trouble.
func (t trouble) on(check doctor.Check, dir string) doctor.Check {
	check.Status, check.Found, check.Means, check.Mend = t.status, "at "+dir+", "+t.found, t.means, t.mend
	return check
}

// unwritable says why nothing can be written.
func unwritable(err error) trouble {
	t := trouble{
		doctor.Missing, reason(err), "what is built runs; nothing can be built",
		"see to it that this user may write there, and that the file system is not mounted read-only",
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		t.mend = fullMend
	}
	return t
}

// trouble is what a try has met; nothing where found is empty.
type trouble struct {
	status             doctor.Status
	found, means, mend string
}

const fullMend = "make room: `hopyard env gc` removes what nobody needs; remove old environments and builds, or move the data directory to a larger disk"

// tryRoom looks at free bytes and free inodes of a folder's disk: one of many small files may have the one and not the other.
func tryRoom(dir string) trouble {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return trouble{doctor.Warn, reason(err), "nobody knows how much room there is", "look at the file system"}
	}
	free, floor := int64(st.Bavail)*st.Bsize, min(int64(1<<30), int64(st.Blocks)*st.Bsize/20)
	means := "builds are refused that would leave less than " + size(floor) + " free"
	inodes := trouble{
		doctor.Warn, fmt.Sprintf("with %d of %d inodes free", st.Ffree, st.Files),
		"an environment has tens of thousands of files: builds fail as on a full disk, although bytes are free", fullMend + ", with more inodes",
	}
	switch {
	case free < floor:
		return trouble{doctor.Missing, "with " + size(free) + " free", means + ": all of them now", fullMend}
	case st.Files > 0 && st.Ffree < inodesWanted/100:
		inodes.status = doctor.Missing
		return inodes
	case free < floor+roomWanted:
		return trouble{doctor.Warn, "with " + size(free) + " free", means + ": soon all of them", fullMend}
	case st.Files > 0 && st.Ffree < inodesWanted:
		return inodes
	}
	return trouble{}
}

// tryLinks links a file from each cache to where environments are.
func tryLinks(s *store.Store) trouble {
	if s.Link() == "copy" {
		return trouble{
			doctor.Warn, "files are copied", "each environment takes its whole size on this file system, and longer to build",
			"put the data directory on a file system with hard links, such as ext4 or xfs",
		}
	}
	for _, cache := range []string{"pkgs", "uv", "pyc", "records"} {
		if err := tryLink(filepath.Join(s.Dir(), cache), filepath.Join(s.Dir(), "b")); err != nil {
			return trouble{
				doctor.Warn, fmt.Sprintf("files of its cache %s cannot be linked into environments: %s", cache, reason(err)),
				"what comes from there is copied: each environment takes its whole size, and longer to build",
				"keep the whole folder on one file system: let no part of it be a link or a mount",
			}
		}
	}
	return trouble{}
}

func tryLink(from, to string) error {
	f, err := os.CreateTemp(from, ".doctor-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	f.Close()
	name := filepath.Join(to, filepath.Base(f.Name()))
	defer os.Remove(name)
	return os.Link(f.Name(), name)
}

// tryStart starts a program from where environments are.
func tryStart(ctx context.Context, s *store.Store) trouble {
	dir, err := os.MkdirTemp(filepath.Join(s.Dir(), "b"), ".doctor-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.WriteFile(filepath.Join(dir, "true"), []byte("#!/bin/sh\n"), 0o700)
	}
	if err != nil {
		return unwritable(err)
	}
	if err := exec.CommandContext(ctx, filepath.Join(dir, "true")).Run(); errors.Is(err, fs.ErrPermission) {
		return trouble{
			doctor.Missing, "programs in it cannot be started: " + reason(err), "environments hold interpreters: no kernel can start",
			"mount its file system without noexec, or move the data directory",
		}
	}
	return trouble{}
}

// reason is the last part of an error, which says what the system does: permission denied.
func reason(err error) string {
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	return err.Error()
}
