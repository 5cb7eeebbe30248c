package projects_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
)

func TestEnsureAdminMakesOneAccountOnce(t *testing.T) {
	t.Parallel()
	s := projects.Open(memory.NewStorage(), projects.Options{})
	defer func() { _ = s.Close() }()
	var wg sync.WaitGroup
	made := make(chan bool, 8)
	for range cap(made) {
		wg.Go(func() {
			created, err := s.EnsureAdmin(t.Context())
			if err != nil {
				t.Error(err)
			}
			made <- created
		})
	}
	wg.Wait()
	close(made)
	n := 0
	for created := range made {
		if created {
			n++
		}
	}
	if n != 1 {
		t.Errorf("EnsureAdmin created the account %d times, want once", n)
	}
	u, err := s.User(t.Context(), "admin")
	must(t, err)
	if !u.Admin || u.Disabled {
		t.Errorf("admin = %+v, want an administrator", u)
	}
}

func TestNamesThatMeanTroubleAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bad := []string{"", "A", "1a", "a__b", "a-", "-a", "a/b", "a b", "a..b", "ä", "a\n", strings.Repeat("a", 41)}
	for _, name := range bad {
		_, err := b.people.CreateUser(t.Context(), projects.By{}, projects.NewUser{Name: name})
		if problem.CodeOf(err) != problem.Invalid {
			// errors.Join keeps the problem in the chain
			t.Errorf("CreateUser(%q) = %v, want invalid", name, err)
		}
		if _, err := b.people.CreateProject(t.Context(), projects.By{}, name, "", "olga"); problem.CodeOf(err) != problem.Invalid {
			t.Errorf("CreateProject(%q) = %v, want invalid", name, err)
		}
	}
	for _, name := range []string{"a", "a1", "a-b", "a_b-c", strings.Repeat("a", 40)} {
		_, err := b.people.CreateProject(t.Context(), projects.By{}, name, "", "olga")
		must(t, err)
	}
}

func TestNameThatIsTakenIsConflict(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.people.CreateUser(t.Context(), projects.By{}, projects.NewUser{Name: "sam"})
	wantCode(t, err, problem.Conflict)
	_, err = b.people.CreateProject(t.Context(), projects.By{}, "demo", "", "sam")
	wantCode(t, err, problem.Conflict)
	created, err := b.people.EnsureProject(t.Context(), "demo", "", "olga")
	if created || err != nil {
		t.Errorf("EnsureProject(demo) = %v, %v, want false, nil", created, err)
	}
}

func TestLastAdministratorStays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	no, yes := false, true
	ctx := t.Context()
	_, err := b.people.UpdateUser(ctx, projects.By{}, "admin", projects.UserPatch{Admin: &no})
	wantCode(t, err, problem.Conflict)
	_, err = b.people.UpdateUser(ctx, projects.By{}, "admin", projects.UserPatch{Disabled: &yes})
	wantCode(t, err, problem.Conflict)
	wantCode(t, b.people.DeleteUser(ctx, projects.By{}, "admin"), problem.Conflict)

	_, err = b.people.UpdateUser(ctx, projects.By{}, "olga", projects.UserPatch{Admin: &yes})
	must(t, err)
	results := make(chan error, 2)
	for _, name := range []string{"olga", "admin"} {
		go func() {
			_, err := b.people.UpdateUser(ctx, projects.By{}, name, projects.UserPatch{Admin: &no})
			results <- err
		}()
	}
	first, second := <-results, <-results
	if (first == nil) == (second == nil) {
		t.Errorf("two administrators at once gave up: %v and %v, want one of them refused", first, second)
	}
}

func TestUserWithoutDisplayNameIsCalledByName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	name := "Sam Smith"
	u, err := b.people.UpdateUser(t.Context(), projects.By{}, "sam", projects.UserPatch{DisplayName: &name})
	must(t, err)
	if u.DisplayName != name {
		t.Errorf("display name = %q, want %q", u.DisplayName, name)
	}
	name = ""
	u, err = b.people.UpdateUser(t.Context(), projects.By{}, "sam", projects.UserPatch{DisplayName: &name})
	must(t, err)
	if u.DisplayName != "sam" {
		t.Errorf("display name = %q, want sam", u.DisplayName)
	}
}

func TestDeletedUserLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, secret := b.token(t, "sam", "")
	g := b.grant(t, secret, "demo")
	must(t, b.people.DeleteUser(t.Context(), projects.By{User: "admin"}, "sam"))
	wantEnd(t, g)
	members, _, err := b.people.Members(t.Context(), "demo", projects.Page{})
	must(t, err)
	if len(members) != 1 {
		t.Errorf("members = %v, want olga alone", members)
	}

	_, err = b.people.CreateUser(t.Context(), projects.By{}, projects.NewUser{Name: "sam"})
	must(t, err)
	_, err = b.people.Authenticate(t.Context(), secret, "")
	wantCode(t, err, problem.Unauthenticated)
	if of, err := b.people.ProjectsOf(t.Context(), "sam"); err != nil || len(of) != 0 {
		t.Errorf("ProjectsOf(new sam) = %v, %v, want none", of, err)
	}
}

func TestLastOwnerIsNotDeletedHalfWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.people.CreateProject(t.Context(), projects.By{}, "another", "", "sam")
	must(t, err)
	_, err = b.people.SetMember(t.Context(), projects.By{}, "another", "olga", projects.DataScientist)
	must(t, err)
	wantCode(t, b.people.DeleteUser(t.Context(), projects.By{}, "olga"), problem.Conflict)
	of, err := b.people.ProjectsOf(t.Context(), "olga")
	must(t, err)
	if len(of) != 2 {
		t.Errorf("after the refusal olga is in %v, want both projects", of)
	}
}
