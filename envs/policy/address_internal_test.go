package policy

import (
	"reflect"
	"testing"
)

// FuzzFolders holds what is fast to what is simple: an address that is read by its folder is the one that it is when read alone.
func FuzzFolders(f *testing.F) {
	for _, text := range []string{
		"https://conda.example/forge/noarch/six-1.17.0-py_0.conda", "https://conda.example/six.conda", "https://conda.example//six.conda",
		"https://conda.example/t/secret", "https://conda.example/t/secret/forge", "https://me:secret@conda.example/forge/six.conda",
		"https://conda.example/forge/..", "https://conda.example/forge/%2e%2e", "https://conda.example/forge/a%2fb", "https://conda.example",
		"file:///srv/channel/noarch/six.conda", "file:///t/a", "https:conda.example/six", "https://conda.example/forge/six.conda?a=b",
		"https://[::1]:80/forge/six.conda", "HTTPS://CONDA.example:443/forge/six.conda", "six.conda", "/", "", "https://conda.example/a//b",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, wrong := parseAddress(text)
		known := folders{}
		for range 2 { // a folder that is new, and one that is known
			if got, err := known.parse(text); !reflect.DeepEqual(got, want) || err != wrong { //nolint:errorlint // they are the same or they are not
				t.Errorf("%q is %v, %v, want %v, %v", text, got, err, want, wrong)
			}
		}
	})
}
