package envs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs/store"
)

const (
	// handedOut is how long the files stay that a program was told to run on: it may only be starting.
	handedOut = 10 * time.Minute
	// young is how long files stay after they were made, whoever wants them.
	young = time.Hour
	// collectEvery is how often files are collected although nothing was built.
	collectEvery = 24 * time.Hour
	// unusedFor is how long packages stay in the caches that no environment has any more: to make one again they are not fetched.
	unusedFor = 30 * 24 * time.Hour
	// scrubEvery is how often the packages in the caches are read and compared with their hashes.
	scrubEvery = 7 * 24 * time.Hour
	// lookEvery is how often it is asked whether that is due.
	lookEvery = time.Hour
)

// rule says in words what Collect keeps.
func (s *Service) rule() string {
	return fmt.Sprintf("Kept are the builds in use, builds that programs run on, pinned builds, the last %d ready builds of each environment, and all "+
		"that was made in the last hour or is being made. Of others the files go; their content, log and history stay, and activating one restores it.", s.cfg.Keep)
}

// roots are the prefixes that the store has been told to keep for us.
type roots struct {
	telling sync.Mutex // held while the store is told

	mu     sync.Mutex           // guards below
	told   map[string]bool      // nil until the store has been told in this process
	handed map[string]time.Time // when a prefix was last asked for
}

// handOut notes that somebody was told of a prefix.
func (r *roots) handOut(id string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.handed == nil {
		r.handed = map[string]time.Time{}
	}
	r.handed[id] = now
}

// recent are the prefixes that were asked for lately; older ones are forgotten.
func (r *roots) recent(now time.Time) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.handed, func(_ string, at time.Time) bool { return now.Sub(at) > handedOut })
	return slices.Collect(maps.Keys(r.handed))
}

// present says whether the files of a prefix are there, after it has told the store to keep them.
func (s *Service) present(ctx context.Context, id string) (*store.Manifest, bool, error) {
	if err := s.want(ctx, id); err != nil {
		return nil, false, err
	}
	m, ok := s.cfg.Store.Find(id)
	return m, ok, nil
}

// want tells the store that a prefix is to be kept.
func (s *Service) want(ctx context.Context, id string) error {
	s.roots.handOut(id, s.now())
	s.roots.telling.Lock()
	defer s.roots.telling.Unlock()
	if s.roots.told[id] {
		return nil
	}
	if s.roots.told == nil {
		return s.tellRoots(ctx)
	}
	return s.setRoots(ctx, append(slices.Collect(maps.Keys(s.roots.told)), id))
}

// tellRoots tells the store all that is to be kept; telling is held.
func (s *Service) tellRoots(ctx context.Context) error {
	keep, err := s.kept(ctx)
	if err != nil {
		return err
	}
	return s.setRoots(ctx, append(keep, s.roots.recent(s.now())...))
}

func (s *Service) setRoots(ctx context.Context, keep []string) error {
	if err := s.cfg.Store.SetRoots(ctx, s.cfg.Site, keep); err != nil {
		return err
	}
	told := make(map[string]bool, len(keep))
	for _, id := range keep {
		told[id] = true
	}
	s.roots.told = told
	return nil
}

// kept are the prefixes that the rule keeps. Those on which a builder or an archiver works the store itself leaves alone.
func (s *Service) kept(ctx context.Context) ([]string, error) {
	keep := map[string]bool{}
	environments, err := all[envRecord](ctx, s.cfg.Storage, envKeys)
	if err != nil {
		return nil, err
	}
	for _, e := range environments {
		if e.value.Active != nil {
			keep[e.value.Active.ID] = true
		}
	}
	builds, err := all[buildRecord](ctx, s.cfg.Storage, buildKeys)
	if err != nil {
		return nil, err
	}
	s.keepBuilds(keep, builds)
	if err := s.keepReplaced(ctx, keep, environments, builds); err != nil {
		return nil, err
	}
	running, err := s.cfg.Workloads.List(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, w := range running {
		if w.Environment != nil {
			keep[w.Environment.ID] = true
		}
	}
	manifests, err := s.cfg.Store.Manifests()
	if err != nil {
		return nil, err
	}
	for _, m := range manifests {
		if s.now().Sub(m.Finished) < young {
			keep[m.ID] = true
		}
	}
	delete(keep, "")
	return slices.Collect(maps.Keys(keep)), nil
}

// keepBuilds adds pinned builds, those that are not over, and the last ready ones of each environment.
func (s *Service) keepBuilds(keep map[string]bool, builds []stored[buildRecord]) {
	ready := map[string]map[string]bool{} // prefixes by environment
	for _, b := range slices.Backward(builds) {
		env := envKey(b.value.Project, b.value.Environment)
		if b.value.Pinned || !b.value.State.Ended() {
			keep[b.value.ID] = true
		}
		if b.value.State != Ready {
			continue
		}
		if ready[env] == nil {
			ready[env] = map[string]bool{}
		}
		if ready[env][b.value.ID] = true; len(ready[env]) <= s.cfg.Keep {
			keep[b.value.ID] = true
		}
	}
}

// keepReplaced adds builds that were in use until lately: another process may have handed them out.
func (s *Service) keepReplaced(ctx context.Context, keep map[string]bool, environments []stored[envRecord], builds []stored[buildRecord]) error {
	ids := map[buildRef]string{}
	for _, b := range builds {
		ids[buildRef{b.value.Project, b.value.Environment, b.value.Number}] = b.value.ID
	}
	for _, e := range environments {
		if e.value.Active == nil || s.now().Sub(e.value.Active.Since) > handedOut {
			continue
		}
		history, err := newestFirst[Activation](ctx, s.cfg.Storage, activationKeys+e.value.Project+"/"+e.value.Name+"/")
		if err != nil {
			return err
		}
		for _, a := range history {
			if s.now().Sub(a.Created) > handedOut {
				break
			}
			keep[ids[buildRef{e.value.Project, e.value.Name, a.From}]] = true
		}
	}
	return nil
}

// Collect removes the files of all builds, of whatever project, that the rule does not keep, what nobody has used for long from the
// caches, and locks that nothing has named for long.
func (s *Service) Collect(ctx context.Context, by By, project string) (Report, error) {
	report, err := s.collectAll(ctx)
	if err == nil {
		s.audit(ctx, by, "environment_collected", project, "", fmt.Sprintf("%d builds, %d packages, %d bytes, %d locks", report.Builds, report.Packages, report.Bytes, report.Locks))
	}
	return report, err
}

func (s *Service) collectNow(ctx context.Context) (Report, error) {
	if err := s.cfg.Workloads.Recovered(ctx); err != nil {
		return Report{}, err
	}
	if err := s.markBuilt(ctx); err != nil {
		return Report{}, err
	}
	s.roots.telling.Lock()
	err := s.tellRoots(ctx)
	s.roots.telling.Unlock()
	if err != nil {
		return Report{}, err
	}
	done, err := s.cfg.Store.Collect(ctx)
	if len(done.IDs) > 0 {
		s.usage.forget()
		s.hub.publish(Change{})
		s.cfg.Log.InfoContext(ctx, "files of environments collected", "builds", len(done.IDs), "bytes", done.Bytes)
	}
	return Report{Builds: len(done.IDs), Bytes: done.Bytes}, err
}

// collectAll collects builds, what killed builders left, what is unused in the caches, and locks. All are tried.
func (s *Service) collectAll(ctx context.Context) (Report, error) {
	report, err := s.collectNow(ctx)
	swept, sweepErr := s.cfg.Store.Sweep(ctx)
	cached, cacheErr := s.cfg.Store.CollectCaches(ctx, unusedFor)
	if len(swept)+len(cached.IDs) > 0 {
		s.cfg.Log.InfoContext(ctx, "caches of environments collected", "packages", len(cached.IDs), "bytes", cached.Bytes, "half built", len(swept))
	}
	report.Packages = len(cached.IDs)
	report.Bytes += cached.Bytes
	var lockErr error
	report.Locks, report.LockBytes, lockErr = s.collectLocks(ctx)
	if report.Locks > 0 {
		s.cfg.Log.InfoContext(ctx, "locks of environments collected", "locks", report.Locks, "bytes", report.LockBytes)
	}
	return report, errors.Join(err, sweepErr, cacheErr, lockErr)
}

// scrub looks for packages in the caches that are not what they were, and takes them out. Environments that have such files stay,
// because programs may run on them: who runs the site is told which they are.
func (s *Service) scrub(ctx context.Context) error {
	damage, err := s.cfg.Store.ScrubGently(ctx)
	for _, d := range damage {
		s.cfg.Log.ErrorContext(ctx, "package in the cache is damaged", "package", d.Package, "file", d.Path, "why", d.Why)
	}
	if err != nil {
		return err
	}
	expelled, err := s.cfg.Store.Expel(ctx, damage)
	for _, e := range expelled {
		s.cfg.Log.ErrorContext(ctx, "damaged package is out of the cache; environments that have its files should be built anew",
			"package", e.Package, "environments", e.Prefixes)
	}
	return err
}

// askCollect asks for a collection soon.
func (s *Service) askCollect() {
	select {
	case s.collect <- struct{}{}:
	default: // it has been asked for
	}
}

// collectAtTimes collects after builds and daily.
func (s *Service) collectAtTimes() {
	daily := time.NewTicker(collectEvery)
	defer daily.Stop()
	for {
		var err error
		select {
		case <-s.collect:
			_, err = s.collectNow(s.ctx)
		case <-daily.C:
			_, err = s.collectAll(s.ctx)
		case <-s.ctx.Done():
			return
		}
		if err != nil && s.ctx.Err() == nil {
			s.cfg.Log.Error("files of environments are not collected", "error", err)
		}
	}
}

// scrubAtTimes scrubs weekly, however often gateways come and go.
func (s *Service) scrubAtTimes() {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-look.C:
		case <-s.ctx.Done():
			return
		}
		if s.now().Sub(s.cfg.Store.Scrubbed()) < scrubEvery {
			continue
		}
		if err := s.scrub(s.ctx); err != nil && s.ctx.Err() == nil {
			s.cfg.Log.Error("caches of environments are not scrubbed", "error", err)
		}
	}
}

// Usage tells what a project's environments need on disk, and the rule by which that gets less.
func (s *Service) Usage(ctx context.Context, project string) (Usage, error) {
	u, err := s.diskOf(ctx, project)
	if err != nil {
		return Usage{}, err
	}
	return Usage{Exclusive: u.total.Exclusive, Shared: u.total.Shared, Builds: u.builds, Rule: s.rule()}, nil
}

// disk is what a project's environments need.
type disk struct {
	total  store.Usage
	byName map[string]store.Usage
	builds int
	at     time.Time
}

// usageFor is how long what was measured is believed if nothing was built or collected here: measuring reads a list of files of every
// prefix.
const usageFor = time.Minute

// usageCache keeps what was measured.
type usageCache struct {
	mu    sync.Mutex
	disks map[string]disk // by project; guarded by mu
	epoch int             // how often all was forgotten; guarded by mu
}

func (c *usageCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.disks = nil
	c.epoch++
}

func (c *usageCache) get(project string, now time.Time) (d disk, ok bool, epoch int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok = c.disks[project]
	return d, ok && now.Sub(d.at) < usageFor, c.epoch
}

func (c *usageCache) put(project string, d disk, epoch int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch != c.epoch {
		return
	}
	if c.disks == nil {
		c.disks = map[string]disk{}
	}
	c.disks[project] = d
}

func (s *Service) diskOf(ctx context.Context, project string) (disk, error) {
	d, ok, epoch := s.usage.get(project, s.now())
	if ok {
		return d, nil
	}
	builds, err := all[buildRecord](ctx, s.cfg.Storage, buildKeys+project+"/")
	if err != nil {
		return d, err
	}
	sets := map[string][]string{}
	whole := map[string]bool{}
	for _, b := range builds {
		if _, ok := s.cfg.Store.Manifest(b.value.ID); ok {
			sets[b.value.Environment] = append(sets[b.value.Environment], b.value.ID)
			whole[b.value.ID] = true
		}
	}
	names := slices.Collect(maps.Keys(sets))
	lists := [][]string{slices.Collect(maps.Keys(whole))}
	for _, name := range names {
		lists = append(lists, sets[name])
	}
	usages, err := s.cfg.Store.Usages(lists...)
	if err != nil {
		return d, err
	}
	d = disk{total: usages[0], byName: map[string]store.Usage{}, builds: len(whole), at: s.now()}
	for i, name := range names {
		d.byName[name] = usages[i+1]
	}
	s.usage.put(project, d, epoch)
	return d, nil
}
