package conda_test

import (
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/testchannel"
)

// imported is what comes in when somebody sends a lock that we exported, with what he likes to say of its packages.
func imported(t *testing.T, l *lock.Lock, forge func(*lock.Package)) *lock.Lock {
	t.Helper()
	forged := *l
	forged.Packages = nil
	for _, p := range l.Packages {
		p.Record = nil
		forge(&p)
		forged.Packages = append(forged.Packages, p)
	}
	text, err := forged.Encode()
	if err != nil {
		t.Fatal(err)
	}
	in, err := lock.Import(text)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestImportedLockIsWhatItsChannelsSay(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	d := newDriver(t)
	l := solve(t, d, wants(t, server.Channel(), "python=3.11", "ipykernel", "numpy"))
	in := imported(t, l, func(p *lock.Package) {
		p.License, p.Timestamp, p.Size, p.Depends = "MIT", 1, 1, []string{"anything"}
	})
	for name, d := range map[string]*conda.Driver{"a helper that knows the records": d, "a new helper": newDriver(t)} {
		got, err := d.Complete(t.Context(), in, "")
		if err != nil {
			t.Fatal(err)
		}
		if got.ID() != l.ID() {
			t.Errorf("%s: the lock is not the one that was solved: %+v", name, lock.Compare(l, got))
		}
		for _, p := range got.Packages {
			if len(p.Record) == 0 {
				t.Errorf("%s: %s has no record of its channel", name, p.Name)
			}
		}
	}
}

func TestImportedLockNamesAnArtifactThatIsNotInItsChannel(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	d := newDriver(t)
	l := solve(t, d, wants(t, server.Channel(), "packaging", "python=3.11"))
	in := imported(t, l, func(p *lock.Package) {
		if p.Name == "packaging" {
			p.SHA256 = strings.Repeat("a", 64)
		}
	})
	_, err := d.Complete(t.Context(), in, "")
	if f := failure(t, err, driver.PackageMissing); f.Package != "packaging" {
		t.Errorf("failure = %+v, want one about packaging", f)
	}
}

func TestImportedLockWhoseChannelDoesNotAnswerSaysNothingOfItself(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	l := solve(t, newDriver(t), wants(t, server.Channel(), "packaging", "python=3.11"))
	in := imported(t, l, func(p *lock.Package) { p.License, p.Timestamp = "MIT", 1 })
	got, err := newDriver(t, func(c *conda.Config) { c.Offline = true }).Complete(t.Context(), in, "")
	if err != nil || len(got.Packages) != len(l.Packages) || got.Python != "3.11" {
		t.Fatalf("Complete = %+v, %v", got, err)
	}
	for _, p := range got.Packages {
		if p.License != "" || p.Timestamp != 0 || p.Depends != nil {
			t.Errorf("%+v", p)
		}
	}
}

// TestForgedRecordDecidesNothing: what is preferred may be somebody's words, and one helper solves for all projects.
func TestForgedRecordDecidesNothing(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	d := newDriver(t)
	genuine := solve(t, newDriver(t), wants(t, server.Channel(), "packaging", "python=3.11"))
	forged := *genuine
	forged.Packages = nil
	for _, p := range genuine.Packages {
		if p.Name == "packaging" {
			p.License, p.Depends, p.Record = "Forged", []string{"python", "numpy"}, nil
		}
		forged.Packages = append(forged.Packages, p)
	}
	mine := wants(t, server.Channel(), "packaging", "python=3.11")
	mine.Prefer = &forged
	for _, req := range []driver.Request{mine, wants(t, server.Channel(), "packaging", "python=3.11")} {
		got := solve(t, d, req)
		if got.ID() != genuine.ID() {
			t.Errorf("solved %+v, want what the channel says", lock.Compare(genuine, got))
		}
	}
}

func TestNamesOfChannelsStandForAddresses(t *testing.T) {
	t.Parallel()
	d := newDriver(t, func(c *conda.Config) {
		c.Alias, c.ChannelURLs = "https://mirror.example/conda", map[string]string{"ours": "https://conda.example/ours"}
	})
	for range 2 {
		got, err := d.Places(t.Context(), []string{"conda-forge", "ours", "conda-forge/label/dev"})
		if err != nil || strings.TrimRight(got.Channels["conda-forge"], "/") != "https://mirror.example/conda/conda-forge" ||
			strings.TrimRight(got.Channels["ours"], "/") != "https://conda.example/ours" || got.Index == "" ||
			strings.TrimRight(got.Channels["conda-forge/label/dev"], "/") != "https://mirror.example/conda/conda-forge/label/dev" {
			t.Errorf("Places = %+v, %v", got, err)
		}
	}
}
