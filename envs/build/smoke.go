package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
)

// smokeLimit is how long importing what a kernel needs may take, on a busy machine with a cold disk.
const smokeLimit = 2 * time.Minute

// smoke tries whether a kernel could start, if the environment has one. What has been seen to start need not be tried again: only
// what ipykernel depends on can change the answer.
func (b *builder) smoke(ctx context.Context) error {
	python := pythonPath(b.prefix())
	key := smokeKey(b.lock)
	if key == "" || python == "" || exists(b.store.Smoked(key)) {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, smokeLimit,
		driver.Failf(driver.SmokeFailed, "importing ipykernel took longer than %v", smokeLimit))
	defer cancel()
	var words bytes.Buffer
	cmd := b.command(ctx, python, "-I", "-B", "-c", "import ipykernel.kernelapp")
	cmd.Stderr = &words
	if err := b.run(cmd); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return driver.Failf(driver.SmokeFailed, "no kernel could start on this environment, because importing ipykernel ends with %w: %s",
			err, lastLines(words.String()))
	}
	return os.WriteFile(b.store.Smoked(key), nil, 0o644)
}

// smokeKey names all that ipykernel depends on in a lock, by hash; empty where there is no ipykernel.
func smokeKey(l *lock.Lock) string {
	hashes := closure(l, "ipykernel")
	if len(hashes) == 0 {
		return ""
	}
	if l.Base != nil {
		hashes = append(hashes, fmt.Sprintf("base %s %s", l.Base.Path, l.Base.Version))
	}
	sum := sha256.Sum256([]byte(strings.Join(hashes, "\n")))
	return hex.EncodeToString(sum[:])
}

// closure names a package of a lock and all that it needs in it, with their hashes, sorted; nothing where it is not there.
func closure(l *lock.Lock, name string) []string {
	parts := map[string]lockPart{}
	for _, p := range l.Packages {
		parts[lock.NormalName(p.Name)] = lockPart{p.SHA256, requiresOf(p)}
	}
	for _, w := range l.Wheels {
		parts[lock.NormalName(w.Name)] = lockPart{w.SHA256, w.Requires}
	}
	var hashes []string
	todo, seen := []string{name}, map[string]bool{}
	for len(todo) > 0 {
		name := lock.NormalName(todo[0])
		todo = todo[1:]
		if part, ok := parts[name]; ok && !seen[name] {
			seen[name] = true
			hashes = append(hashes, name+" "+part.sha256)
			todo = append(todo, part.requires...)
		}
	}
	slices.Sort(hashes)
	return hashes
}

type lockPart struct {
	sha256   string
	requires []string
}
