package fetch

import (
	"net/url"
	"strings"
	"testing"
)

func TestCredentialsAreFoundByHost(t *testing.T) {
	t.Parallel()
	c := Credentials{
		"a.example.com": {BearerToken: "exact"}, "*.example.com": {BearerToken: "pattern"}, "b.example.com:8080": {BearerToken: "port"},
		"empty.org": {},
	}
	for address, want := range map[string]string{
		"https://a.example.com/x": "exact", "https://b.example.com/": "pattern", "https://b.example.com:8080/": "port",
		"https://x.y.example.com": "pattern", "https://example.com": "", "https://example.org": "", "https://empty.org": "",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		found, ok := c.of(u)
		if found.BearerToken != want || ok != (want != "") {
			t.Errorf("%s: %q, %t; want %q", address, found.BearerToken, ok, want)
		}
	}
	if text := c.String() + c.GoString(); strings.Contains(text, "exact") {
		t.Errorf("printed: %s", text)
	}
}
