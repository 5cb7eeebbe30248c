package projects_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/projects"
)

func TestSecretsAreNotStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.passwords(t, "sam")
	_, token := b.token(t, "sam", "")
	login, err := b.people.LogIn(t.Context(), "sam", "sam-password", "")
	must(t, err)
	code, _, err := b.people.CreateLink(t.Context(), projects.By{}, "sam")
	must(t, err)
	page, err := b.store.List(t.Context(), storage.Query{})
	must(t, err)
	if page.Next != "" {
		t.Fatal("more records than one page")
	}
	for _, r := range page.Records {
		for _, secret := range []string{token, login.Secret, code, "sam-password"} {
			if strings.Contains(r.Key+string(r.Value), secret) {
				t.Errorf("record %q holds a secret", r.Key)
			}
		}
	}
}

func TestTokensAreListedWithTheirUse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, secret := b.token(t, "sam", "demo")
	_, _ = b.token(t, "olga", "")
	b.grant(t, secret, "demo")
	tokens, _, err := b.people.Tokens(t.Context(), "sam", projects.Page{})
	must(t, err)
	if len(tokens) != 1 || tokens[0].ID != id || tokens[0].Project != "demo" {
		t.Fatalf("tokens = %+v, want the one of sam", tokens)
	}
	if since := b.clock.now().Sub(tokens[0].LastUsed); since < 0 || since > time.Minute {
		t.Errorf("last used = %s, want now", tokens[0].LastUsed)
	}
}

func TestTokenNeedsMembershipAndATime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, want := range []struct {
		n    projects.NewToken
		code problem.Code
	}{
		{projects.NewToken{User: "admin", Project: "demo"}, problem.NotFound},
		{projects.NewToken{User: "sam", Project: "nothing"}, problem.NotFound},
		{projects.NewToken{User: "nobody"}, problem.NotFound},
		{projects.NewToken{User: "sam", TTL: -time.Hour}, problem.Invalid},
		{projects.NewToken{User: "sam", TTL: 8761 * time.Hour}, problem.Invalid},
		{projects.NewToken{User: "sam", Note: "two\nlines"}, problem.Invalid},
	} {
		_, _, err := b.people.CreateToken(t.Context(), projects.By{}, want.n)
		if problem.CodeOf(err) != want.code {
			t.Errorf("CreateToken(%+v) = %v, want %s", want.n, err, want.code)
		}
	}
}

func TestTokensAreOnesOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, secret := b.token(t, "sam", "")
	for _, other := range []string{id + "x", "", "../" + id, "sam/" + id} {
		wantCode(t, b.people.RevokeToken(t.Context(), projects.By{}, "olga", other), problem.NotFound)
	}
	wantCode(t, b.people.RevokeToken(t.Context(), projects.By{}, "olga", id), problem.NotFound)
	b.grant(t, secret, "demo")
	must(t, b.people.RevokeToken(t.Context(), projects.By{}, "sam", id))
	wantCode(t, b.people.RevokeToken(t.Context(), projects.By{}, "sam", id), problem.NotFound)
}

func TestAuditIsNewestFirstAndPerProject(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, b.people.Record(t.Context(), projects.Entry{User: "sam", Action: "workload_start", Resource: "k1", Project: "demo"}))
	must(t, b.people.Record(t.Context(), projects.Entry{User: "sam", Action: "login", Resource: "sam"}))
	site, _, err := b.people.Audit(t.Context(), "", projects.Page{Limit: 2})
	must(t, err)
	if len(site) != 2 || site[0].Action != "login" || site[1].Action != "workload_start" {
		t.Errorf("site's log = %+v, want login, then workload_start", site)
	}
	var actions []string
	for p := (projects.Page{Limit: 1}); ; {
		entries, next, err := b.people.Audit(t.Context(), "demo", p)
		must(t, err)
		for _, e := range entries {
			actions = append(actions, e.Action)
		}
		if next == "" {
			break
		}
		p.After = next
	}
	if got := strings.Join(actions, " "); got != "workload_start member_set project_made" {
		t.Errorf("project's log = %q", got)
	}
}

func TestChangesTellWhatToLookAt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	changes := b.people.Changes(t.Context())
	_, err := b.open(t).SetMember(t.Context(), projects.By{}, "demo", "admin", projects.DataScientist)
	must(t, err)
	wantChange(t, changes, projects.Change{Kind: projects.KindMembers, Project: "demo", User: "admin", ID: "admin"})
}

func TestASlowReaderOfChangesIsToldToLookAtEverything(t *testing.T) {
	t.Parallel()
	b := setup(t)
	slow, prompt := b.people.Changes(t.Context()), b.people.Changes(t.Context())
	for i := range 300 {
		_, err := b.people.DescribeProject(t.Context(), projects.By{}, "demo", strconv.Itoa(i))
		must(t, err)
		wantChange(t, prompt, projects.Change{Kind: projects.KindProjects, Project: "demo", ID: "demo"})
	}
	var last projects.Change
	for range len(slow) {
		last = <-slow
	}
	if last.Kind != projects.Resync {
		t.Errorf("after 300 changes the last that waits is %+v, want a resync", last)
	}
}

func wantChange(t *testing.T, changes <-chan projects.Change, want projects.Change) {
	t.Helper()
	for {
		select {
		case c := <-changes:
			if c == want {
				return
			}
		case <-time.After(patience):
			t.Fatalf("no change %+v", want)
		}
	}
}
