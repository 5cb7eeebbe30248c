package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
)

// archive packs the prefix for clusters: a tar.gz that runs wherever it is unpacked, as Spark and Flink do by themselves.
func (b *builder) archive(ctx context.Context) error {
	if _, ok := b.store.Archive(b.id); ok {
		b.events.say("The archive is there already.")
		return nil
	}
	m, ok := b.store.Find(b.id)
	if !ok {
		return driver.Failf(driver.ToolFailed, "the environment's files are not on disk: activate the build, which restores them, and try again")
	}
	if m.Kind != lock.Conda {
		// The interpreter is a symlink into the host, and venv-pack would leave it one: the archive would run where it was made only.
		return driver.Failf(driver.ToolFailed, "an environment of wheels stands on an interpreter of this host and cannot be packed: "+
			"export its requirements with hashes instead, or build the environment from a conda channel")
	}
	if b.order.Tools.CondaPack == "" {
		return driver.Failf(driver.ToolFailed, "conda-pack is missing from the tool environment: prepare it anew")
	}
	if err := b.archiveRoom(m); err != nil {
		return err
	}
	ctx, limit := newLimits(ctx, b.order.Limits)
	defer limit.stop()
	limit.enter(driver.Finish)
	draft := b.store.ArchiveDraft(b.id)
	defer os.Remove(draft)
	if err := b.pack(ctx, m, draft); err != nil {
		return because(ctx, err)
	}
	sum, err := hashFile(draft)
	if err != nil {
		return err
	}
	return b.store.CommitArchive(b.id, draft, sum)
}

// archiveRoom fails early where the disk cannot take the archive; half of what is packed is more than archives ever are.
func (b *builder) archiveRoom(m *store.Manifest) error {
	free, size, err := b.store.Free()
	if err != nil {
		return err
	}
	floor := b.order.Limits.FreeBytes
	if floor == 0 {
		floor = min(leave, size/20)
	}
	if free-m.Bytes/2 < floor {
		return driver.Failf(driver.DiskFull, "the disk of the environments has %d MB free, of which %d MB must stay so, and the archive may need %d MB: "+
			"ask the operator to make room", megabytes(free), megabytes(floor), megabytes(m.Bytes/2))
	}
	return nil
}

// pack runs conda-pack, which says nothing while it works, and tells meanwhile how long the archive has become.
func (b *builder) pack(ctx context.Context, m *store.Manifest, draft string) error {
	cmd := b.command(ctx, b.order.Tools.CondaPack, "-p", m.Prefix, "-o", draft, "--format", "tar.gz", "--n-threads", "-1",
		"--compress-level", "4", "--ignore-missing-files", "--force", "--quiet")
	var words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &words, &words
	running, err := b.start(cmd)
	if err != nil {
		return driver.Failf(driver.ToolFailed, "start conda-pack: %w", err)
	}
	over := make(chan error, 1)
	go func() { over <- running.wait() }()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-over:
			if err != nil {
				return driver.Failf(driver.ToolFailed, "conda-pack: %w: %s", err, lastLines(words.String()))
			}
			return nil
		case <-tick.C:
			if info, err := os.Stat(draft); err == nil {
				// The end is not known; a third of what is packed is usual.
				b.events.tell(driver.Event{Type: driver.TypeProgress, Phase: driver.Finish, Bytes: info.Size(), TotalBytes: max(info.Size(), m.Bytes/3)})
			}
		}
	}
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read archive: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read archive: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
