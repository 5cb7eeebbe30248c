package uv

import (
	"context"
	"slices"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/fetch"
	"github.com/hopyard/hopyard/envs/lock"
	"golang.org/x/sync/errgroup"
)

// Completion says which wheels Complete shall look up.
type Completion struct {
	Wheels []lock.Wheel
	// Provided are the names of distributions that are there besides.
	Provided []string
	// Python is the minor version, Platform conda's word; as in Request.
	Python, Platform string
	// Index is the address of the package index; empty means uv's default.
	Index string
}

// completionTimeout bounds all questions of one Complete.
const completionTimeout = 30 * time.Second

// Complete gives the wheels with what the index says of them: size, time, licence and requirements. The index knows a wheel by its
// hash, wherever its address leads. What it does not have, or does not say, stays empty, and so does everything where it does not
// answer.
func (t *Tool) Complete(ctx context.Context, c Completion) ([]lock.Wheel, error) {
	ctx = t.inside(ctx, c.Index)
	goal, err := targetOf(c.Python, "", c.Platform)
	if err != nil {
		return nil, driver.Failf(driver.SpecInvalid, "%w", err)
	}
	listed, err := t.listed(ctx, c)
	if err != nil {
		return nil, err
	}
	// What it says of itself is read where the index has it: what comes from elsewhere must not be kept under this hash.
	t.describe(ctx, listed, c.Provided, goal)
	wheels := slices.Clone(c.Wheels)
	for i := range wheels {
		at := slices.IndexFunc(listed, func(w lock.Wheel) bool { return w.SHA256 == wheels[i].SHA256 })
		if at >= 0 {
			from := listed[at]
			wheels[i].Size, wheels[i].Uploaded, wheels[i].License, wheels[i].Requires = from.Size, from.Uploaded, from.License, from.Requires
		}
	}
	return wheels, nil
}

// listed are the wheels that the index has, with its own addresses.
func (t *Tool) listed(ctx context.Context, c Completion) ([]lock.Wheel, error) {
	if t.Offline {
		return nil, nil
	}
	index, err := t.indexOf(ctx, c.Index)
	if err != nil {
		return nil, err
	}
	known, err := fetch.ReadCredentials(t.AuthFile)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	found := make([]lock.Wheel, len(c.Wheels))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(metadataAtOnce)
	for i, w := range c.Wheels {
		group.Go(func() error {
			files, err := page(ctx, pageOf(index, w.Name), known)
			at := slices.IndexFunc(files, func(f indexFile) bool { return f.sha256 == w.SHA256 && f.filename == w.Filename })
			if err != nil || at < 0 {
				return err
			}
			w.URL, w.Size = files[at].address, files[at].size
			if uploaded := files[at].uploaded; !uploaded.IsZero() {
				w.Uploaded = uploaded.UTC().Format(time.RFC3339)
			}
			found[i] = w
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		if driver.FailureOf(err).Cause == driver.ChannelUnreachable {
			return nil, nil
		}
		return nil, err
	}
	return slices.DeleteFunc(found, func(w lock.Wheel) bool { return w.SHA256 == "" }), nil
}

// Fits reports whether all wheels run on a minor version of Python, "3.11", on a platform in conda's word.
func Fits(wheels []lock.Wheel, python, platform string) bool {
	goal, err := targetOf(python, "", platform)
	return err == nil && !slices.ContainsFunc(wheels, func(w lock.Wheel) bool { return goal.best([]string{w.Filename}) < 0 })
}
