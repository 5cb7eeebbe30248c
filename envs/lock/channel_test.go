package lock_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/testchannel"
)

// ofChannel is a lock of everything in the test channel, with the channel's records; of what has versions, the newest.
func ofChannel(t *testing.T) *lock.Lock {
	t.Helper()
	dir := testchannel.Dir(t)
	newest := map[string]lock.Package{}
	for _, subdir := range []string{"noarch", "linux-64"} {
		text, err := os.ReadFile(filepath.Join(dir, subdir, "repodata.json"))
		if err != nil {
			t.Fatal(err)
		}
		var index struct {
			Packages map[string]json.RawMessage `json:"packages.conda"`
		}
		if err := json.Unmarshal(text, &index); err != nil {
			t.Fatal(err)
		}
		for file, record := range index.Packages {
			p := lock.Package{URL: "file://" + filepath.Join(dir, subdir, file), Record: record}
			if err := json.Unmarshal(record, &p); err != nil {
				t.Fatal(err)
			}
			if old, ok := newest[p.Name]; !ok || lock.CompareVersions(old.Version, p.Version) < 0 {
				newest[p.Name] = p
			}
		}
	}
	l := &lock.Lock{Version: 1, Kind: lock.Conda, Platform: "linux-64", Channels: []string{"file://" + dir}}
	for _, p := range newest {
		l.Packages = append(l.Packages, p)
	}
	return l
}

func TestLocksOfRealPackagesAreTakenAndExported(t *testing.T) {
	t.Parallel()
	l := ofChannel(t)
	got, err := lock.Decode(encode(t, l))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Packages) < 60 {
		t.Errorf("there are %d packages only", len(got.Packages))
	}
	validate(t, export(t, got, lock.CycloneDX, "everything"))
	for _, f := range []lock.Format{lock.Explicit, lock.CondaLock} {
		again, err := lock.Import(export(t, got, f, "everything"))
		if err != nil || len(lock.Compare(got, again).Changed)+len(lock.Compare(got, again).Removed) > 0 {
			t.Errorf("%s loses something: %v, %+v", f, err, lock.Compare(got, again))
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	text, err := sample().Encode()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := lock.Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}
