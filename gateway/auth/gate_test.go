package auth_test

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/hopyard/hopyard/gateway/auth"
)

func TestTokenComesInManyWays(t *testing.T) {
	t.Parallel()
	w := serve(t)
	token := w.token(t, "sam", "demo")
	basic := func(plain string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(plain))
	}
	const me, page = "sam by token at /p/demo/who", "/p/demo/who"
	for name, ask := range map[string]struct{ path, header string }{
		"bearer":                 {page, "Authorization: Bearer " + token},
		"bearer in any case":     {page, "Authorization: bEARER " + token},
		"token":                  {page, "Authorization: token " + token},
		"with spaces":            {page, "Authorization:  Token   " + token + " "},
		"basic":                  {page, basic("anyone:" + token)},
		"basic without a name":   {page, basic(":" + token)},
		"in the URL":             {page + "?token=" + token, "X: x"},
		"in the URL, escaped":    {page + "?%74oken=" + token, "X: x"},
		"in the URL, in between": {page + "?1234567&token=" + token + "&a=b", "X: x"},
		"in the path":            {"/t/" + token + page, "X: x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := w.get(t, ask.path, ask.header)
			a.want(t, http.StatusOK, me)
			if got := a.body; len(got) > 100 || contains(got, token) {
				t.Errorf("the handler saw the token: %q", got)
			}
		})
	}
}

func TestWhatIsNoTokenIsNobody(t *testing.T) {
	t.Parallel()
	w := serve(t)
	token := w.token(t, "sam", "demo")
	session := w.session(t, "sam")[len("Cookie: "+auth.Cookie+"="):]
	for name, ask := range map[string]struct{ path, header string }{
		"nothing":                     {"/p/demo/who", "X: x"},
		"another scheme":              {"/p/demo/who", "Authorization: Digest " + token},
		"basic with a password":       {"/p/demo/who", "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(token+":x"))},
		"basic that is not base64":    {"/p/demo/who", "Authorization: Basic !!!"},
		"half a token":                {"/p/demo/who", "Authorization: Bearer " + token[:20]},
		"a browser session as bearer": {"/p/demo/who", "Authorization: Bearer " + session},
		"a browser session in a URL":  {"/p/demo/who?token=" + session, "X: x"},
		"an empty cookie":             {"/p/demo/who", "Cookie: " + auth.Cookie + "="},
		"a wrong cookie":              {"/p/demo/who", "Cookie: " + auth.Cookie + "=hys_" + token[4:]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := w.get(t, ask.path, ask.header)
			a.want(t, http.StatusUnauthorized, "")
			if a.header.Get("WWW-Authenticate") == "" {
				t.Error("nothing says how to authenticate")
			}
		})
	}
}

func TestWrongTokenDoesNotHideTheCookie(t *testing.T) {
	t.Parallel()
	w := serve(t)
	cookie := w.session(t, "sam")
	w.get(t, "/p/demo/who", cookie, "Authorization: Basic cHJveHk6cHJveHk=").want(t, http.StatusOK, "sam by cookie")
	w.get(t, "/p/demo/who?token=old", cookie).want(t, http.StatusOK, "sam by cookie")
}

func TestTokenOfAnotherProjectIsNotWidenedByTheCookie(t *testing.T) {
	t.Parallel()
	w := serve(t)
	w.get(t, "/p/demo/who", w.session(t, "sam"), "Authorization: Bearer "+w.token(t, "olga", "")).want(t, http.StatusNotFound, "")
}

func TestPageOpenedWithATokenWorksOn(t *testing.T) {
	t.Parallel()
	w := serve(t)
	a := w.get(t, "/p/demo/who?token="+w.token(t, "sam", "demo"), "Accept: text/html")
	a.want(t, http.StatusOK, "sam by token")
	if a.cookie == nil || !a.cookie.HttpOnly || a.cookie.SameSite != http.SameSiteLaxMode || a.cookie.Path != "/" || a.cookie.Secure {
		t.Fatalf("cookie = %+v, want an HttpOnly, Lax one for the site", a.cookie)
	}
	cookie := "Cookie: " + a.cookie.Name + "=" + a.cookie.Value
	w.get(t, "/p/demo/who", cookie).want(t, http.StatusOK, "sam by cookie")

	if a := w.get(t, "/p/demo/who?token="+w.token(t, "sam", "demo"), "Accept: */*"); a.cookie != nil {
		t.Error("a program was given a cookie")
	}
	if a := w.get(t, "/p/demo/who?token="+w.token(t, "sam", "demo"), "Accept: text/html", w.session(t, "olga")); a.cookie != nil {
		t.Error("a browser that is logged in was made somebody else")
	}
}

func TestCookieIsSecureBehindTLS(t *testing.T) {
	t.Parallel()
	w := serve(t)
	a := w.get(t, "/p/demo/who?token="+w.token(t, "sam", "demo"), "Accept: text/html", "X-Forwarded-Proto: https")
	if a.cookie == nil || !a.cookie.Secure {
		t.Errorf("cookie = %+v, want it Secure", a.cookie)
	}
}
