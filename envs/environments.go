package envs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/projects"
	"github.com/hopyard/hopyard/workloads"
)

// nameShape is what environments are called; names become names of kernelspecs.
var nameShape = regexp.MustCompile(`^[a-z0-9]+(?:[-_.][a-z0-9]+)*$`)

const (
	maxName = 40
	maxText = 500 // bytes of what people write about a change
)

func checkName(name string) error {
	if len(name) <= maxName && nameShape.MatchString(name) {
		return nil
	}
	return problem.New(problem.Invalid, "the name of an environment is 1 to %d lower-case letters and digits, and may have single -, _ or . between them", maxName)
}

// checkText bounds what a person wrote about a change.
func checkText(text string) error {
	if len(text) > maxText || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return problem.New(problem.Invalid, "a message is at most %d bytes of plain text on one line", maxText)
	}
	return nil
}

// errPrivate is the answer to whoever wants scripts of packages to run.
var errPrivate = problem.New(problem.Unsupported, "builds that run the scripts of packages stay off until programs are isolated from each other")

// List tells of all environments of a project, the default one first.
func (s *Service) List(ctx context.Context, project string) ([]Environment, error) {
	records, err := s.environments(ctx, project)
	if err != nil {
		return nil, err
	}
	return s.describe(ctx, project, records)
}

// Get tells of one environment, or returns a problem.NotFound.
func (s *Service) Get(ctx context.Context, project, name string) (Environment, error) {
	env, err := s.environment(ctx, project, name)
	if err != nil {
		return Environment{}, err
	}
	described, err := s.describe(ctx, project, []envRecord{env})
	if err != nil {
		return Environment{}, err
	}
	return described[0], nil
}

// describe adds what is not stored: the latest build, who runs on what, and the disk.
func (s *Service) describe(ctx context.Context, project string, records []envRecord) ([]Environment, error) {
	programs, err := s.programs(ctx, project)
	if err != nil {
		return nil, err
	}
	usage, err := s.diskOf(ctx, project)
	if err != nil {
		return nil, err
	}
	out := make([]Environment, 0, len(records))
	for _, r := range records {
		env := r.Environment
		env.InUse, env.Findings = inUse(programs, r.Name), s.against(ctx, r)
		env.Exclusive, env.Shared = usage.byName[r.Name].Exclusive, usage.byName[r.Name].Shared
		if env.Latest, err = s.latest(ctx, r); err != nil {
			return nil, err
		}
		out = append(out, env)
	}
	return out, nil
}

// latest is the newest build of an environment, nil where there is none.
func (s *Service) latest(ctx context.Context, env envRecord) (*Build, error) {
	q := storage.Query{Prefix: buildKeys + env.Project + "/" + env.Name + "/", Reverse: true, Limit: 1}
	page, err := s.cfg.Storage.List(ctx, q)
	if err != nil || len(page.Records) == 0 {
		return nil, err
	}
	b, _, err := load[buildRecord](ctx, s.cfg.Storage, page.Records[0].Key)
	if err != nil {
		return nil, missing(err, "the build has just been deleted; look again")
	}
	shown := s.show(env, b)
	return &shown, nil
}

// programs are the workloads that run on environments of a project.
func (s *Service) programs(ctx context.Context, project string) ([]workloads.Info, error) {
	running, err := s.cfg.Workloads.List(ctx, project)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(running, func(w workloads.Info) bool { return w.Environment == nil || w.State == workloads.Ended }), nil
}

func inUse(programs []workloads.Info, name string) []InUse {
	var out []InUse
	for _, w := range programs {
		if w.Environment.Name != name {
			continue
		}
		i := slices.IndexFunc(out, func(u InUse) bool { return u.Build == w.Environment.Build })
		if i < 0 {
			i, out = len(out), append(out, InUse{Build: w.Environment.Build})
		}
		out[i].Workloads = append(out[i].Workloads, w.ID)
	}
	slices.SortFunc(out, func(a, b InUse) int { return b.Build - a.Build })
	return out
}

// Update changes what is no content of an environment.
func (s *Service) Update(ctx context.Context, by By, project, name string, p Patch) (Environment, error) {
	if p.Default != nil && !*p.Default {
		return Environment{}, problem.New(problem.Invalid, "make another environment the default one instead")
	}
	if p.Kind != nil {
		if err := checkKind(*p.Kind); err != nil {
			return Environment{}, err
		}
	}
	if p.Policy != nil {
		if err := s.checkPolicy(project, *p.Policy); err != nil {
			return Environment{}, err
		}
	}
	_, err := s.change(ctx, project, name, func(st *step) error {
		if p.Kind != nil && *p.Kind != st.env.Kind {
			st.env.Kind, st.env.Why = *p.Kind, by.User+" asked for it"
		}
		if p.PolicyWas != nil && !sameRules(st.env.Policy, p.PolicyWas) {
			return problem.New(problem.Conflict, "somebody else has changed the rules of %s meanwhile; look at them and change them again", name)
		}
		if p.Policy != nil {
			st.env.Policy = p.Policy
		}
		if p.Default == nil {
			return nil
		}
		others, err := s.others(ctx, st)
		if err == nil {
			st.enroll(others, name)
		}
		return err
	})
	if err != nil {
		return Environment{}, err
	}
	s.audit(ctx, by, "environment_changed", project, name, "")
	return s.Get(ctx, project, name)
}

// sameRules compares as JSON, in which both were read: no rules and empty ones are the same.
func sameRules(a, b *policy.Rules) bool {
	text := func(r *policy.Rules) string {
		if r == nil {
			r = &policy.Rules{}
		}
		encoded, _ := json.Marshal(r)
		return string(encoded)
	}
	return text(a) == text(b)
}

func checkKind(kind lock.Kind) error {
	if kind == lock.Conda || kind == lock.Venv {
		return nil
	}
	return problem.New(problem.Invalid, "an environment is of kind %s or %s", lock.Conda, lock.Venv)
}

// checkPolicy refuses rules of an environment that cannot be, or that would be taken no notice of; each *policy.Mistake is in the
// problem's chain.
func (s *Service) checkPolicy(project string, r policy.Rules) error {
	if err := r.Validate(); err != nil {
		return problem.New(problem.Invalid, "the rules cannot be: %w", err)
	}
	if err := policy.Ignored(s.cfg.Rules.For(project), r); err != nil {
		return problem.New(problem.Invalid, "the rules would be taken no notice of: %w", err)
	}
	return nil
}

// Delete removes an environment with its history and logs. A problem.Conflict names the programs that run on it. Files stay
// until they are collected.
func (s *Service) Delete(ctx context.Context, by By, project, name string) error {
	if _, err := s.environment(ctx, project, name); err != nil {
		return err
	}
	programs, err := s.programs(ctx, project)
	if err != nil {
		return err
	}
	var names []string
	for _, w := range programs {
		if w.Environment.Name == name {
			names = append(names, fmt.Sprintf("%s (%s of %s)", w.Name, w.Kind, w.Owner))
		}
	}
	if len(names) > 0 {
		return problem.New(problem.Conflict, "stop what runs on the environment %q first: %s", name, strings.Join(names, ", "))
	}
	if err := s.remove(ctx, by, project, name); err != nil {
		return err
	}
	s.audit(ctx, by, "environment_deleted", project, name, "")
	return nil
}

// remove deletes an environment for everybody, and then all that belongs to it.
func (s *Service) remove(ctx context.Context, by By, project, name string) error {
	_, err := s.change(ctx, project, name, func(st *step) error {
		st.env.Deleting, st.env.Active = true, nil
		others, err := s.others(ctx, st)
		if err == nil {
			st.enroll(others, "")
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.finishRemoval(ctx, by, project, name)
}

// finishRemoval removes all that belongs to an environment that is marked as deleted, and the mark last. It is harmless twice: every
// step happens only as long as the mark is there, so that a new environment of the same name loses nothing.
func (s *Service) finishRemoval(ctx context.Context, by By, project, name string) error {
	env, rev, err := load[envRecord](ctx, s.cfg.Storage, envKey(project, name))
	if errors.Is(err, storage.ErrNotFound) || err == nil && !env.Deleting {
		return nil
	}
	if err != nil {
		return err
	}
	marked := storage.Check(envKey(project, name), storage.At(rev))
	builds, err := s.builds(ctx, project, name)
	if err != nil {
		return err
	}
	for _, b := range builds {
		if b.value.State.Ended() {
			continue
		}
		err := s.cancelBuild(ctx, by, buildRef{project, name, b.value.Number}, marked)
		if err != nil && !problem.Is(err, problem.Conflict) && !problem.Is(err, problem.NotFound) {
			return err
		}
	}
	unlock, err := s.lines.lock(ctx, project+"/"+name) // nobody works on its builds any more
	if err != nil {
		return err
	}
	defer unlock()
	for _, prefix := range []string{buildKeys, revisionKeys, activationKeys} {
		err := s.deleteAll(ctx, prefix+project+"/"+name+"/", marked)
		if errors.Is(err, storage.ErrConflict) {
			return nil // somebody else has finished it
		}
		if err != nil {
			return err
		}
	}
	if err := os.RemoveAll(filepath.Dir(s.cfg.Store.Log(project, name, 1))); err != nil {
		return fmt.Errorf("delete logs of environment %s: %w", name, err)
	}
	err = s.apply(ctx, project, storage.Delete(envKey(project, name)).When(storage.At(rev)))
	if errors.Is(err, storage.ErrConflict) {
		return nil
	}
	return err
}

// deleteAll deletes all records below prefix, as long as the check holds.
func (s *Service) deleteAll(ctx context.Context, prefix string, check storage.Op) error {
	for {
		page, err := s.cfg.Storage.List(ctx, storage.Query{Prefix: prefix, Limit: storage.MaxOps - 1})
		if err != nil || len(page.Records) == 0 {
			return err
		}
		ops := []storage.Op{check}
		for _, r := range page.Records {
			ops = append(ops, storage.Delete(r.Key))
		}
		if _, err := s.cfg.Storage.Apply(ctx, ops...); err != nil {
			return err
		}
	}
}

// Forget removes all environments of a project that is being deleted. The caller has stopped what ran in it.
func (s *Service) Forget(ctx context.Context, by By, project string) error {
	records, err := all[envRecord](ctx, s.cfg.Storage, envKeys+project+"/")
	if err != nil {
		return err
	}
	for _, r := range records {
		if r.value.Deleting {
			err = s.finishRemoval(ctx, by, project, r.value.Name)
		} else {
			err = s.remove(ctx, by, project, r.value.Name)
		}
		if err != nil && !problem.Is(err, problem.NotFound) {
			return err
		}
	}
	return errors.Join(s.EndStandbys(ctx, project), s.disband(ctx, project))
}

// audit takes note of what somebody did; a lost note is logged and stops nothing.
func (s *Service) audit(ctx context.Context, by By, action, project, name, detail string) {
	if s.cfg.Audit == nil {
		return
	}
	e := projects.Entry{User: by.User, Remote: by.Remote, Action: action, Resource: "environment " + name, Project: project, Detail: detail}
	if err := s.cfg.Audit.Record(context.WithoutCancel(ctx), e); err != nil {
		s.cfg.Log.ErrorContext(ctx, "audit entry lost", "environment", name, "action", action, "error", err)
	}
}

// rules are those for an environment of a project.
func (s *Service) rules(project string, env *envRecord) policy.Rules {
	site := s.cfg.Rules.For(project)
	if env == nil || env.Policy == nil {
		return site
	}
	return policy.Merge(site, *env.Policy)
}

// denied is the problem of what the policy refuses; nil if it refuses nothing.
func denied(findings []driver.Failure) error {
	if f := refusal(findings); f != nil {
		return &problem.Problem{Code: problem.Conflict, Message: f.Message, Err: f}
	}
	return nil
}

// refusal is one Failure that tells all findings.
func refusal(findings []driver.Failure) *driver.Failure {
	if len(findings) == 0 {
		return nil
	}
	f := findings[0]
	if more := len(findings) - 1; more > 0 {
		lines := make([]string, len(findings))
		for i, x := range findings {
			lines[i] = x.Message
		}
		f.Tree = strings.Join(lines, "\n")
		f.Message = fmt.Sprintf("%s (and %d more)", f.Message, more)
	}
	return &f
}
