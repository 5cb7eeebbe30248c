package door_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/gateway/door"
)

func TestLocalPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/p/demo/jupyter/lab?reset":     "/p/demo/jupyter/lab?reset",
		"/":                             "/",
		"":                              "/",
		"lab":                           "/",
		"//evil.example":                "/",
		"/\\evil.example":               "/",
		"\\\\evil.example":              "/",
		"/\t/evil.example":              "/",
		"/\n/evil.example":              "/",
		"http://evil.example":           "/",
		"javascript:alert(1)":           "/",
		"/ok\x00":                       "/",
		"/" + strings.Repeat("a", 3000): "/",
		"/a//b":                         "/a//b",
	} {
		if got := door.LocalPath(path); got != want {
			t.Errorf("LocalPath(%q) = %q, want %q", path, got, want)
		}
	}
}

func FuzzLocalPath(f *testing.F) {
	for _, seed := range []string{"/", "//x", "/\\x", "/x?y#z", "/%2f%2fx", "http://x", "/\u2028/x", "/.//x", "/x:y@z/"} {
		f.Add(seed)
	}
	base, _ := url.Parse("https://here.example/login")
	f.Fuzz(func(t *testing.T, path string) {
		got := door.LocalPath(path)
		// Browsers drop tabs and line ends and take \ for /.
		seen := strings.NewReplacer("\t", "", "\n", "", "\r", "", "\\", "/").Replace(got)
		to, err := base.Parse(seen)
		if err != nil || to.Host != base.Host || to.Scheme != base.Scheme || strings.HasPrefix(seen, "//") {
			t.Errorf("LocalPath(%q) = %q leads to %v", path, got, to)
		}
	})
}
