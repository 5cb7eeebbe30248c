package projects_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
)

func TestPasswordLogsIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.passwords(t, "sam")
	login, err := b.people.LogIn(t.Context(), "sam", "sam-password", "192.0.2.1")
	must(t, err)
	g := b.grant(t, login.Secret, "demo")
	if g.User != "sam" || g.Role != projects.DataScientist || g.Token {
		t.Errorf("grant = %+v, want sam's browser session", g)
	}
}

func TestWrongNameAndWrongPasswordLookAlike(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.passwords(t, "olga")
	yes := true
	_, err := b.people.UpdateUser(t.Context(), projects.By{}, "olga", projects.UserPatch{Disabled: &yes})
	must(t, err)
	var texts []string
	for _, try := range [][2]string{{"sam", "wrong"}, {"nobody", "wrong"}, {"", ""}, {"olga", "olga-password"}, {"admin", ""}, {"../x", strings.Repeat("x", 100_000)}} {
		_, err := b.people.LogIn(t.Context(), try[0], try[1], "192.0.2.1")
		wantCode(t, err, problem.Unauthenticated)
		texts = append(texts, err.Error())
	}
	for _, text := range texts {
		if text != texts[0] {
			t.Errorf("refusals differ: %q and %q", text, texts[0])
		}
	}
}

func TestGuessingOneAccountIsSlowedDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.passwords(t, "sam")
	b.clock.stop() // a guess takes long on a busy machine
	tries := 0
	for ; tries < 50; tries++ {
		// Each guess from somewhere else: the account itself is protected.
		_, err := b.people.LogIn(t.Context(), "sam", "wrong", "198.51.100."+string(rune('0'+tries%10)))
		if problem.Is(err, problem.TooMany) {
			break
		}
		wantCode(t, err, problem.Unauthenticated)
	}
	if tries != 10 {
		t.Errorf("refused after %d guesses, want 10", tries)
	}
	_, err := b.people.LogIn(t.Context(), "sam", "sam-password", "192.0.2.9")
	wantCode(t, err, problem.TooMany)
	b.clock.forward(31 * time.Second)
	_, err = b.people.LogIn(t.Context(), "sam", "sam-password", "192.0.2.9")
	must(t, err)
}

func TestGuessingFromOneNetworkIsSlowedDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.passwords(t, "sam")
	b.clock.stop() // a guess takes long on a busy machine
	refused := false
	for i := range 35 {
		user := "u" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		remote := "2001:db8:1:2::" + string(rune('0'+i%10)) // a /64 is one customer
		if _, err := b.people.LogIn(t.Context(), user, "wrong", remote); problem.Is(err, problem.TooMany) {
			refused = true
			break
		}
	}
	if !refused {
		t.Error("35 guesses from one network went through")
	}
	_, err := b.people.LogIn(t.Context(), "sam", "sam-password", "2001:db8:9::1")
	must(t, err)
}

func TestGoodLoginsAreNotCounted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.passwords(t, "sam")
	for range 15 {
		_, err := b.people.LogIn(t.Context(), "sam", "sam-password", "192.0.2.1")
		must(t, err)
	}
}

func TestLinkWorksOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	code, _, err := b.people.CreateLink(t.Context(), projects.By{}, "admin")
	must(t, err)
	var wg sync.WaitGroup
	results := make(chan error, 8)
	for range cap(results) {
		wg.Go(func() {
			_, err := b.people.UseLink(t.Context(), code, "192.0.2.1")
			results <- err
		})
	}
	wg.Wait()
	close(results)
	in := 0
	for err := range results {
		if err == nil {
			in++
			continue
		}
		wantCode(t, err, problem.Gone)
	}
	if in != 1 {
		t.Errorf("the link logged in %d times, want once", in)
	}
}

func TestLinkEndsAfterTenMinutes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	code, expires, err := b.people.CreateLink(t.Context(), projects.By{}, "admin")
	must(t, err)
	if left := expires.Sub(b.clock.now()); left > 10*time.Minute || left < 9*time.Minute {
		t.Errorf("the link expires in %s, want ten minutes", left)
	}
	b.clock.forward(10 * time.Minute)
	_, err = b.people.UseLink(t.Context(), code, "")
	wantCode(t, err, problem.Gone)
}

func TestLinkIsVoidAfterChangeOfPassword(t *testing.T) {
	t.Parallel()
	b := setup(t)
	code, _, err := b.people.CreateLink(t.Context(), projects.By{}, "sam")
	must(t, err)
	must(t, b.people.SetPassword(t.Context(), projects.By{}, "sam", "another-password", nil))
	_, err = b.people.UseLink(t.Context(), code, "")
	wantCode(t, err, problem.Gone)
}

func TestUnknownLinkIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, token := b.token(t, "sam", "")
	for _, code := range []string{"", "x", "hyl_", "hyl_" + strings.Repeat("a", 43), token, strings.Repeat("hyl_", 1000)} {
		_, err := b.people.UseLink(t.Context(), code, "")
		wantCode(t, err, problem.Gone)
	}
}

func TestLogOutEndsTheSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.passwords(t, "sam")
	login, err := b.people.LogIn(t.Context(), "sam", "sam-password", "")
	must(t, err)
	g := b.grant(t, login.Secret, "")
	must(t, b.people.LogOut(t.Context(), login.Secret, ""))
	wantEnd(t, g)
	_, err = b.people.Authenticate(t.Context(), login.Secret, "")
	wantCode(t, err, problem.Unauthenticated)
	must(t, b.people.LogOut(t.Context(), login.Secret, ""))
}

func TestCurrentPasswordMustBeRight(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.passwords(t, "sam")
	current := "wrong"
	err := b.people.SetPassword(t.Context(), projects.By{User: "sam"}, "sam", "another-password", &current)
	wantCode(t, err, problem.Denied)
	current = "sam-password"
	must(t, b.people.SetPassword(t.Context(), projects.By{User: "sam"}, "sam", "another-password", &current))
	_, err = b.people.LogIn(t.Context(), "sam", "sam-password", "")
	wantCode(t, err, problem.Unauthenticated)
	_, err = b.people.LogIn(t.Context(), "sam", "another-password", "")
	must(t, err)
}

func TestFailedLoginIsWrittenDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.people.LogIn(t.Context(), "sam", "wrong", "192.0.2.7")
	wantCode(t, err, problem.Unauthenticated)
	_, err = b.people.LogIn(t.Context(), "My Secret Passphrase", "", "192.0.2.7")
	wantCode(t, err, problem.Unauthenticated)
	entries, _, err := b.people.Audit(t.Context(), "", projects.Page{Limit: 2})
	must(t, err)
	if e := entries[1]; e.Action != "login_failed" || e.User != "sam" || e.Remote != "192.0.2.7" {
		t.Errorf("entry = %+v, want sam's failed login from 192.0.2.7", e)
	}
	if e := entries[0]; e.Action != "login_failed" || e.User != "" || e.Resource != "" {
		t.Errorf("entry = %+v, want nothing of what was typed in place of a name", e)
	}
}
