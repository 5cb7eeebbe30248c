package auth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/projects"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

func TestPasswordLogsInAndLeadsBack(t *testing.T) {
	t.Parallel()
	w := serve(t)
	if err := w.people.SetPassword(t.Context(), projects.By{}, "sam", "sam-password", nil); err != nil {
		t.Fatal(err)
	}
	a := w.get(t, "/p/demo/who?a=b", "Accept: text/html")
	a.wantTo(t, http.StatusFound, "/login?next=%2Fp%2Fdemo%2Fwho%3Fa%3Db")
	a = w.get(t, a.header.Get("Location"))
	a.want(t, http.StatusOK, `value="/p/demo/who?a=b"`)

	a = w.post(t, "/login", url.Values{"user": {"sam"}, "password": {"wrong"}, "next": {"/p/demo/who"}})
	a.want(t, http.StatusUnauthorized, "The name or the password is not right.")
	a.want(t, http.StatusUnauthorized, `value="/p/demo/who"`)
	a.want(t, http.StatusUnauthorized, `value="sam"`)
	if a.cookie != nil {
		t.Error("a wrong password was given a cookie")
	}

	a = w.post(t, "/login", url.Values{"user": {"sam"}, "password": {"sam-password"}, "next": {"/p/demo/who"}})
	a.wantTo(t, http.StatusSeeOther, "/p/demo/who")
	cookie := "Cookie: " + a.cookie.Name + "=" + a.cookie.Value
	w.get(t, "/p/demo/who", cookie).want(t, http.StatusOK, "sam by cookie")
	w.get(t, "/login?next=/p/demo/who", cookie).wantTo(t, http.StatusSeeOther, "/p/demo/who")

	w.post(t, "/logout", nil, cookie, "Sec-Fetch-Site: cross-site").want(t, http.StatusForbidden, "")
	w.get(t, "/p/demo/who", cookie).want(t, http.StatusOK, "")
	w.post(t, "/logout", nil, cookie, "Sec-Fetch-Site: same-origin").wantTo(t, http.StatusSeeOther, "/login")
	w.get(t, "/p/demo/who", cookie).want(t, http.StatusUnauthorized, "")
}

func TestTokenOfAProjectDoesNotKeepItsOwnerFromLoggingIn(t *testing.T) {
	t.Parallel()
	w := serve(t)
	w.get(t, "/login", "Cookie: "+auth.Cookie+"="+w.token(t, "sam", "demo")).want(t, http.StatusOK, "<form")
	w.get(t, "/login", "Cookie: "+auth.Cookie+"="+w.token(t, "sam", "")).wantTo(t, http.StatusSeeOther, "/")
}

func TestNextStaysOnThisSite(t *testing.T) {
	t.Parallel()
	w := serve(t)
	cookie := w.session(t, "sam")
	for _, next := range []string{"//evil.example", `/\evil.example`, "https://evil.example", "javascript:alert(1)", "/%09/evil", "evil"} {
		a := w.get(t, "/login?next="+url.QueryEscape(next), cookie)
		if to := a.header.Get("Location"); to != "/" && to != "/%09/evil" {
			t.Errorf("next=%q leads to %q, want /", next, to)
		}
	}
	a := w.get(t, "/login?next="+url.QueryEscape(`/"><script>alert(1)</script>`))
	a.want(t, http.StatusOK, "")
	if contains(a.body, "<script>") {
		t.Errorf("the page has the script of its address:\n%s", a.body)
	}
}

func TestLinkLogsInOnce(t *testing.T) {
	t.Parallel()
	w := serve(t)
	code, _, err := w.people.CreateLink(t.Context(), projects.By{}, "sam")
	if err != nil {
		t.Fatal(err)
	}
	path := auth.LinkPath(code)
	w.do(t, http.MethodHead, path, "").want(t, http.StatusNoContent, "")
	w.get(t, path, "Sec-Purpose: prefetch;prerender").want(t, http.StatusNoContent, "")
	a := w.get(t, path)
	a.wantTo(t, http.StatusSeeOther, "/")
	w.get(t, "/p/demo/who", "Cookie: "+a.cookie.Name+"="+a.cookie.Value).want(t, http.StatusOK, "sam")
	a = w.get(t, path)
	a.want(t, http.StatusGone, "has been used or has expired")
	if a.cookie != nil {
		t.Error("a used link was given a cookie")
	}
}

func TestGuessingIsRefusedInWords(t *testing.T) {
	t.Parallel()
	w := serve(t)
	for range 100 { // the eleventh, unless they take longer than another is allowed
		a := w.post(t, "/login", url.Values{"user": {"sam"}, "password": {"wrong"}})
		if a.status == http.StatusTooManyRequests {
			a.want(t, http.StatusTooManyRequests, "Too many failed attempts")
			return
		}
	}
	t.Error("100 guesses went through")
}

func TestPagesRunNothingAndAreFramedNowhere(t *testing.T) {
	t.Parallel()
	w := serve(t)
	for _, path := range []string{"/login", "/logout", "/login/link/x"} {
		csp := w.get(t, path).header.Get("Content-Security-Policy")
		if !contains(csp, "default-src 'none'") || !contains(csp, "frame-ancestors 'none'") {
			t.Errorf("policy of %s = %q", path, csp)
		}
	}
	w.get(t, "/login/style.css").want(t, http.StatusOK, "color-scheme")
}

func TestLargeFormIsRefused(t *testing.T) {
	t.Parallel()
	w := serve(t)
	w.post(t, "/login", url.Values{"user": {strings.Repeat("x", 1<<20)}}).want(t, http.StatusBadRequest, "")
}
