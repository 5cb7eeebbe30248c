package lock_test

import (
	"cmp"
	"testing"

	"github.com/hopyard/hopyard/envs/lock"
)

// Each list goes from the oldest to the newest. The first is from conda's documentation of its order (VersionOrder), the second
// from PEP 440's.
var ordered = [][]string{
	{
		"0.4", "0.4.1.rc", "0.4.1", "0.5a1", "0.5b3", "0.5C1", "0.5", "0.9.6", "0.960923", "1.0", "1.1dev1", "1.1a1", "1.1.0dev1",
		"1.1.a1", "1.1.0rc1", "1.1.0", "1.1.0post1", "1.1post1", "1996.07.12", "1!0.4.1", "1!3.1.1.6", "2!0.4.1",
	},
	{
		"1.0.dev456", "1.0", "1.0+abc.5", "1.0+abc.7", "1.0+5", "1.0.post456.dev34", "1.0.post456", "1.1.dev1", "1.1",
	},
	{"1.0a1", "1.0a2.dev456", "1.0a2", "1.0a12.dev456", "1.0a12", "1.0b1.dev456", "1.0b2", "1.0b2.post345", "1.0rc1.dev456", "1.0rc1", "1.0"},
	{"1.9.9", "1.10.0", "1.26.4", "2.0.0rc1", "2.0.0", "2.4.6", "2024.1", "20240101123456789012345"},
	{"9c", "9d", "9e"},
}

var equal = [][2]string{
	{"0.4", "0.4.0"},
	{"1.1.0dev1", "1.1.dev1"},
	{"1.0-rc1", "1.0.rc1"},
	{"v1.0", "1.0"},
	{"1.0alpha1", "1.0a1"},
	{"1.0beta2", "1.0b2"},
	{"01.002", "1.2"},
	{"0!1", "1"},
}

func TestVersionsAreInTheirOrder(t *testing.T) {
	t.Parallel()
	for _, list := range ordered {
		for i, a := range list {
			for j, b := range list {
				if got := lock.CompareVersions(a, b); got != cmp.Compare(i, j) && !sameVersion(a, b) {
					t.Errorf("CompareVersions(%q, %q) = %d, want %d", a, b, got, cmp.Compare(i, j))
				}
			}
		}
	}
	for _, pair := range equal {
		if got := lock.CompareVersions(pair[0], pair[1]); got != 0 {
			t.Errorf("CompareVersions(%q, %q) = %d, want 0", pair[0], pair[1], got)
		}
	}
}

// sameVersion are spellings that are one version in the lists above.
func sameVersion(a, b string) bool {
	pairs := map[string]string{"1.1a1": "1.1.a1", "1.1dev1": "1.1.0dev1", "1.1.0post1": "1.1post1"}
	return pairs[a] == b || pairs[b] == a
}

func FuzzCompareVersions(f *testing.F) {
	for _, list := range ordered {
		for i := range len(list) - 2 {
			f.Add(list[i], list[i+1], list[i+2])
		}
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if lock.CompareVersions(a, a) != 0 {
			t.Errorf("%q is not equal to itself", a)
		}
		if lock.CompareVersions(a, b) != -lock.CompareVersions(b, a) {
			t.Errorf("the order of %q and %q depends on who asks", a, b)
		}
		if lock.CompareVersions(a, b) < 0 && lock.CompareVersions(b, c) < 0 && lock.CompareVersions(a, c) >= 0 {
			t.Errorf("%q < %q < %q, but not the first < the last", a, b, c)
		}
	})
}
