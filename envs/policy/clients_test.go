package policy_test

import (
	"net/url"
	"path"
	"strings"
	"testing"
)

// whereClientsGo is the channel that a client of HTTP asks when it follows an address the lenient way: it decodes twice, and
// takes detours.
func whereClientsGo(t *testing.T, text string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatalf("%q is no address: %v", text, err)
	}
	decoded, err := url.PathUnescape(u.Path)
	if err != nil {
		decoded = u.Path
	}
	clean := path.Clean("/" + strings.ReplaceAll(decoded, `\`, "/"))
	first, _, _ := strings.Cut(strings.TrimPrefix(clean, "/"), "/")
	host := strings.ToLower(u.Hostname())
	if port := u.Port(); port != "" && strings.TrimLeft(port, "0") != "443" {
		host += ":" + port
	}
	if u.User != nil {
		host = "somebody at " + host
	}
	return strings.ToLower(u.Scheme) + "://" + host + "/" + first + "/"
}
