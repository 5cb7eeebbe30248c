package envs

import (
	"context"
	"path/filepath"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/problem"
)

// Archive packs a build for clusters, in the background, and tells how far that is; one that is there is not packed again. Build 0 is
// the one in use.
func (s *Service) Archive(ctx context.Context, by By, project, name string, n int) (Archive, error) {
	b, err := s.chosen(ctx, project, name, n)
	if err != nil {
		return Archive{}, err
	}
	if _, ok := s.cfg.Store.Archive(b.ID); b.ID != "" && ok {
		return s.archive(ctx, b)
	}
	m, ok, err := s.present(ctx, b.ID)
	if err != nil && b.ID != "" {
		return Archive{}, err
	}
	if !ok {
		return Archive{}, problem.New(problem.Conflict, "build %d has no files to pack; activate it, which restores them", b.Number)
	}
	if err := s.pack(ctx, by, b, m); err != nil {
		return Archive{}, err
	}
	s.audit(ctx, by, "environment_archived", project, name, b.activation())
	return s.archive(ctx, b)
}

// pack starts the archiver of a prefix unless it is at work.
func (s *Service) pack(ctx context.Context, by By, b buildRecord, m *store.Manifest) error {
	unlock, err := s.files.lock(ctx, b.ID)
	if err != nil {
		return err
	}
	defer unlock()
	w, found, err := s.workload(ctx, s.archiverID(b.ID))
	if err != nil || found && s.atWork(w, b.ID) {
		return err
	}
	if !found {
		w, found, err = s.builder(ctx, b.ID)
	}
	if err == nil && found { // it is about to end, and its events are not those of the archiver to come
		_, err = s.cfg.Workloads.Ended(ctx, w.Project, w.ID)
	}
	if err != nil && !problem.Is(err, problem.NotFound) {
		return err
	}
	o, err := s.cfg.Order(m.Kind)
	if err != nil {
		return err
	}
	if o.Lock, err = s.LockByID(ctx, b.Lock); err != nil {
		return err
	}
	o.Task, o.Options = store.TaskArchive, m.Options
	if err := s.cfg.Store.Order(ctx, b.ID, o); err != nil {
		return err
	}
	err = s.launch(ctx, by, b.Project, s.archiverID(b.ID), b.ID, "archive of "+b.Environment)
	if problem.Is(err, problem.Conflict) {
		return nil // it is being swept or was started meanwhile
	}
	if err == nil {
		s.wg.Go(func() { s.followArchiver(b.Project, b.ID) })
	}
	return err
}

// followArchiver has everybody who shows a build of a prefix look again now, and when its archiver has ended.
func (s *Service) followArchiver(project, id string) {
	s.hintBuilds(id)
	_, err := s.cfg.Workloads.Ended(s.ctx, project, s.archiverID(id))
	if err == nil || problem.Is(err, problem.NotFound) { // which says that it had ended before
		s.hintBuilds(id)
	}
}

// hintBuilds publishes a Change for each environment that has a build of a prefix, in whatever project.
func (s *Service) hintBuilds(id string) {
	builds, err := all[buildRecord](s.ctx, s.cfg.Storage, buildKeys)
	if err != nil {
		s.hub.publish(Change{}) // it may be any
		return
	}
	told := map[Change]bool{}
	for _, b := range builds {
		c := Change{Project: b.value.Project, Environment: b.value.Environment}
		if b.value.ID == id && !told[c] {
			told[c] = true
			s.hub.publish(c)
		}
	}
}

// GetArchive tells of a build's archive; build 0 is the one in use.
func (s *Service) GetArchive(ctx context.Context, project, name string, n int) (Archive, error) {
	b, err := s.chosen(ctx, project, name, n)
	if err != nil {
		return Archive{}, err
	}
	return s.archive(ctx, b)
}

func (s *Service) archive(ctx context.Context, b buildRecord) (Archive, error) {
	if packed, ok := s.cfg.Store.Archive(b.ID); ok {
		a := Archive{State: ArchiveReady, Path: packed.Path, Bytes: packed.Bytes, SHA256: packed.SHA256}
		a.Spark, a.Flink = settings(packed.Path, s.cfg.Store.Prefix(b.ID))
		return a, nil
	}
	w, found, err := s.workload(ctx, s.archiverID(b.ID))
	if err != nil {
		return Archive{}, err
	}
	if found && s.atWork(w, b.ID) {
		return Archive{State: ArchiveBuilding}, nil
	}
	if f := s.archiveFailure(b.ID); f != nil {
		return Archive{State: ArchiveFailed, Failure: f}, nil
	}
	return Archive{State: ArchiveNone}, nil
}

// archiveFailure is why the last archiver of a prefix did not pack it, nil where there was none.
func (s *Service) archiveFailure(id string) *driver.Failure {
	o, err := s.cfg.Store.ReadOrder(id)
	if err != nil || o.Task != store.TaskArchive {
		return nil
	}
	last, _ := lastEvent(s.cfg.Store.Events(id))
	if last.Type == driver.TypeResult {
		return last.Failure
	}
	return driver.Failf(driver.WorkerLost, "the archiver was lost; start it again")
}

// settings are those that make Spark on YARN or Kubernetes and Flink unpack an archive and use its interpreter. The file's name is
// the content's, so that clusters that have it do not fetch it again.
func settings(archive, prefix string) (spark, flink map[string]string) {
	const python = "./environment/bin/python"
	at := "file://" + archive + "#environment"
	spark = map[string]string{
		"spark.yarn.dist.archives":                 at,
		"spark.archives":                           at,
		"spark.pyspark.python":                     python,
		"spark.pyspark.driver.python":              filepath.Join(prefix, "bin", "python"),
		"spark.yarn.appMasterEnv.PYSPARK_PYTHON":   python,
		"spark.executorEnv.PYSPARK_PYTHON":         python,
		"spark.executorEnv.PYTHONNOUSERSITE":       "1",
		"spark.yarn.appMasterEnv.PYTHONNOUSERSITE": "1",
	}
	flink = map[string]string{
		"python.archives":          at,
		"python.executable":        "environment/bin/python",
		"python.client.executable": filepath.Join(prefix, "bin", "python"),
	}
	return spark, flink
}

// maxFound bounds a search.
const maxFound = 100

// Search finds packages by a part of their name: from "conda", from "pip", or, where from is empty, what new environments are made of.
func (s *Service) Search(ctx context.Context, project, text, from string, limit int) ([]driver.Found, error) {
	if text == "" || len(text) > maxName*2 {
		return nil, problem.New(problem.Invalid, "say a part of a package's name")
	}
	if limit <= 0 || limit > maxFound {
		limit = maxFound
	}
	kind := map[string]lock.Kind{"conda": lock.Conda, "pip": lock.Venv}[from]
	if kind == "" {
		if from != "" {
			return nil, problem.New(problem.Invalid, "packages are from conda or from pip")
		}
		var err error
		if kind, _, err = s.cfg.Drivers.Kind(ctx); err != nil {
			return nil, err
		}
	}
	d, err := s.cfg.Drivers.Driver(kind)
	if err != nil {
		return nil, err
	}
	rules := s.rules(project, nil)
	found, err := d.Search(ctx, driver.Query{Text: text, Channels: rules.Channels(&spec.Spec{}), Index: rules.Index, Limit: limit})
	if err != nil {
		return nil, explained(err)
	}
	shown := s.cfg.Rules.Shown(project)
	for i := range found {
		found[i].Channel = shown.Name(found[i].Channel)
	}
	return found, nil
}

// Policy tells what a project's environments have to keep to, and how new ones are made. Private channels of others are not in it.
func (s *Service) Policy(ctx context.Context, project string) (PolicyView, error) {
	kind, why, err := s.cfg.Drivers.Kind(ctx)
	if err != nil {
		why = err.Error()
	}
	rules := s.cfg.Rules.Shown(project)
	return PolicyView{Rules: rules, Words: rules.Describe(), Kind: kind, Why: why}, nil
}
