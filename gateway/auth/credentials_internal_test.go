package auth

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

func FuzzParseAuthorization(f *testing.F) {
	for _, seed := range []string{"", "Bearer x", "token  x", "Basic Og==", "Basic !", "Bearer", " bearer x y ", "Digest x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		token := parseAuthorization(header)
		if token == "" || strings.Contains(header, token) {
			return
		}
		_, encoded, _ := strings.Cut(strings.TrimSpace(header), " ")
		plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
		if err != nil || !strings.HasSuffix(string(plain), ":"+token) {
			t.Errorf("parseAuthorization(%q) = %q, which is not in it", header, token)
		}
	})
}

func FuzzCutQueryToken(f *testing.F) {
	for _, seed := range []string{"", "token=x", "1234567", "a=b&token=x&token=y", "%74oken=x", "token", "&&", "to%6Ben=%zz", "a=token=x", "token=x%26token=y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		_, rest, ok := cutQueryToken(query)
		if !ok && rest != query {
			t.Errorf("cutQueryToken(%q) changed it to %q", query, rest)
		}
		if _, _, again := cutQueryToken(rest); again {
			t.Errorf("cutQueryToken(%q) left a token in %q", query, rest)
		}
		values, _ := url.ParseQuery(rest) // what can be read of it
		if values.Has("token") && strings.Contains(rest, "=") {
			t.Errorf("cutQueryToken(%q) left a token in %q", query, rest)
		}
		want, _ := url.ParseQuery(query)
		for key, value := range want {
			if key != "token" && len(values[key]) != len(value) {
				t.Errorf("cutQueryToken(%q) lost %q", query, key)
			}
		}
	})
}
