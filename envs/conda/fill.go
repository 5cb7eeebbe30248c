package conda

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/fetch"
	"github.com/hopyard/hopyard/envs/lock"
	"golang.org/x/sync/errgroup"
)

const (
	// atOnce is how many packages are on their way into the cache: as many archives are on disk at most, besides those that were left
	// by others.
	atOnce = 8
	// archives is the folder in the cache for archives and what is unpacked of them. What is left there by a builder that was killed is
	// taken over by the next one that wants the same package, or collected with what nobody uses.
	archives = ".archives"
)

// filler brings packages into the cache: it downloads archives and has the helper look at them and unpack them, some at a time. Each
// archive is one builder's at a time; others wait, and find the package in the cache.
type filler struct {
	*Driver
	h        *helper
	cache    string
	channels []string
	again    map[string]bool // by name: those that seem to be in the cache and are not
	count    *fetch.Counter

	from fetch.Source
	fail context.CancelCauseFunc // ends all of it; the first reason counts
}

// fill brings those packages that are not in the cache. Where it fails the helper has ended, and nobody unpacks any more.
func (f *filler) fill(ctx context.Context, packages []lock.Package) error {
	missing := f.missing(packages)
	if len(missing) == 0 {
		return nil
	}
	var err error
	if f.from.Credentials, err = fetch.ReadCredentials(f.c.AuthFile); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(f.cache, archives), 0o755); err != nil {
		return fetch.NoRoom("make room for packages", err)
	}
	f.from.Stall = f.c.Timeout
	all, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	f.fail = fail
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, p := range missing {
		group.Go(func() error {
			if err := f.bring(all, p); err != nil {
				fail(err)
			}
			return nil
		})
	}
	_ = group.Wait()
	if ctx.Err() != nil {
		return ended(ctx)
	}
	return context.Cause(all)
}

// missing are the packages that are not in the cache, the largest first: what takes longest must not begin last. The others are counted.
func (f *filler) missing(packages []lock.Package) []lock.Package {
	var missing []lock.Package
	for _, p := range packages {
		if f.here(p) {
			f.count.Done(fileOf(p))
		} else {
			missing = append(missing, p)
		}
	}
	slices.SortStableFunc(missing, func(a, b lock.Package) int { return cmp.Compare(b.Size, a.Size) })
	return missing
}

func (f *filler) here(p lock.Package) bool { return !f.again[p.Name] && cached(f.cache, p) }

// bring brings one package, alone among all that want it.
func (f *filler) bring(ctx context.Context, p lock.Package) error {
	at := f.workOn(p)
	claim, err := fetch.Take(ctx, at.archive)
	if err != nil {
		return err
	}
	if f.here(p) { // by now
		f.count.Done(fileOf(p))
		return claim.Remove()
	}
	err = f.bringTo(ctx, p, at)
	if err != nil && worthKeeping(err) {
		_ = claim.Close()
		return err
	}
	if gone := claim.Remove(); err == nil {
		err = gone
	}
	return err
}

// work is where a package is worked on.
type work struct{ archive, draft string }

func (f *filler) workOn(p lock.Package) work {
	ending := ".conda"
	if strings.HasSuffix(p.URL, ".tar.bz2") {
		ending = ".tar.bz2"
	}
	draft := filepath.Join(f.cache, archives, p.SHA256)
	return work{archive: draft + ending, draft: draft}
}

// worthKeeping says whether what is there of an archive is good for the next try.
func worthKeeping(err error) bool {
	switch driver.FailureOf(err).Cause {
	case driver.Canceled, driver.TimedOut, driver.ChannelUnreachable:
		return true
	default:
		return false
	}
}

func (f *filler) bringTo(ctx context.Context, p lock.Package, at work) error {
	archive, local := fileAt(p.URL)
	if !local {
		archive = at.archive
		if err := f.download(ctx, p, archive); err != nil {
			return err
		}
	}
	if err := f.unpack(ctx, p, archive, at.draft); err != nil {
		return err
	}
	f.count.Done(fileOf(p))
	return nil
}

// fileAt is the path of an address that is one.
func fileAt(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "file" {
		return "", false
	}
	return u.Path, true
}

func (f *filler) download(ctx context.Context, p lock.Package, to string) error {
	file := fileOf(p)
	if f.c.Offline {
		return &driver.Failure{Cause: driver.ChannelUnreachable, Package: p.Name, Message: "offline, and " + file.Name + " is not in the cache"}
	}
	channels := slices.Concat(f.channels, f.c.Hosts)
	return whereCredentialsGo(Fetch(ctx, f.from, p, channels, to, func(have int64) { f.count.Bytes(file, have) }))
}

// unpack has the helper put an archive's package into the cache. Where that fails the helper is ended: only then is it sure that it
// writes no more.
func (f *filler) unpack(ctx context.Context, p lock.Package, archive, draft string) error {
	raw, err := recordOf(p)
	if err != nil {
		return driver.Failf(driver.ToolFailed, "write the record of %s: %w", p.Name, err)
	}
	if err := discard(draft); err != nil { // of one that was killed
		return err
	}
	r := request{Op: "unpack", Records: []json.RawMessage{raw}, Packages: f.cache, Archive: archive, Draft: draft}
	err = f.h.call(ctx, r, func(message) error { return nil }, nil)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = fetch.Ended(ctx)
	}
	f.fail(plain(err)) // before others fail for want of the helper
	f.h.kill()
	<-f.h.gone
	_ = discard(draft)
	return plain(err)
}

func discard(draft string) error {
	for _, folder := range []string{draft, draft + ".old"} {
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
	}
	return nil
}
