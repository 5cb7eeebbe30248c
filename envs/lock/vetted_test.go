package lock_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/hopyard/hopyard/envs/lock"
)

func vettedSample() *lock.Lock {
	l := sample()
	for i, p := range l.Packages {
		l.Packages[i] = lock.Vet(p)
	}
	return l
}

func TestLocksOfVettedPackagesAreTheSame(t *testing.T) {
	t.Parallel()
	vetted := vettedSample()
	if err := vetted.Check(); err != nil {
		t.Error(err)
	}
	if vetted.ID() != sample().ID() {
		t.Error("it has another ID")
	}
	if string(encode(t, vetted)) != string(encode(t, sample())) {
		t.Error("it has another text")
	}
	bare := vettedSample()
	for i := range bare.Packages {
		bare.Packages[i].Record = nil
	}
	if bare.ID() != sample().ID() {
		t.Error("it has another ID without its records")
	}
}

func TestVettedPackagesThatChangeAreCheckedAgain(t *testing.T) {
	t.Parallel()
	changes := map[string]func(*lock.Package){
		"Name":        func(p *lock.Package) { p.Name = "../numpy" },
		"Version":     func(p *lock.Package) { p.Version = "-1" },
		"Build":       func(p *lock.Package) { p.Build = "/" },
		"BuildNumber": func(p *lock.Package) { p.BuildNumber = -1 },
		"Subdir":      func(p *lock.Package) { p.Subdir = "win-64" },
		"URL":         func(p *lock.Package) { p.URL = "ftp://conda.example/numpy" },
		"SHA256":      func(p *lock.Package) { p.SHA256 = hash("B") },
		"MD5":         func(p *lock.Package) { p.MD5 = "none" },
		"Size":        func(p *lock.Package) { p.Size = -1 },
		"Depends":     func(p *lock.Package) { p.Depends[0] = "https://me:secret@conda.example/forge::python" }, // in place
		"Constrains":  func(p *lock.Package) { p.Constrains[0] = "two\nlines" },
		"License":     func(p *lock.Package) { p.License = "two\nlines" },
		"Noarch":      func(p *lock.Package) { p.Noarch = "perl" },
		"Timestamp":   func(p *lock.Package) { p.Timestamp = -1 },
		"Record":      func(p *lock.Package) { copy(p.Record[len(`{"name": "`):], "NUMPI") },
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[lock.Package]()) {
		change := changes[field.Name]
		if !field.IsExported() {
			continue
		}
		if change == nil {
			t.Fatalf("nothing is known of the field %s: whoever compares packages must know it too", field.Name)
		}
		plain, vetted := sample(), vettedSample()
		change(&plain.Packages[1])
		change(&vetted.Packages[1])
		want, got := plain.Check(), vetted.Check()
		if want == nil || got == nil || got.Error() != want.Error() {
			t.Errorf("%s: Check = %v, want %v", field.Name, got, want)
		}
		if got, want := vetted.ID(), plain.ID(); got != want {
			t.Errorf("%s: ID = %s, want %s", field.Name, got, want)
		}
	}
}

func TestPackagesWithMistakesAreNeverVetted(t *testing.T) {
	t.Parallel()
	bad := sample()
	bad.Packages[1].URL += "?token=secret"
	want := bad.Check()
	bad.Packages[1] = lock.Vet(bad.Packages[1])
	if got := bad.Check(); got == nil || got.Error() != want.Error() {
		t.Errorf("Check = %v, want %v", got, want)
	}
	moved := vettedSample()
	moved.Platform = "osx-64"
	if moved.Check() == nil {
		t.Error("packages of another platform are taken")
	}
	twice := vettedSample()
	twice.Packages = append(twice.Packages, twice.Packages[0])
	if twice.Check() == nil {
		t.Error("a package is taken twice")
	}
}

func BenchmarkCheck(b *testing.B) { onMany(b, func(l *lock.Lock) { _ = l.Check() }) }

func BenchmarkID(b *testing.B) { onMany(b, func(l *lock.Lock) { l.ID() }) }

// onMany measures something on a lock of 500 packages, as it is read and as it is solved.
func onMany(b *testing.B, do func(*lock.Lock)) {
	b.Helper()
	read := &lock.Lock{Version: 1, Kind: lock.Conda, Platform: "linux-64"}
	for i := range 500 {
		p := conda("many-"+string(rune('a'+i/26))+string(rune('a'+i%26)), "1.0", "0", "noarch", "a", "python >=3.9", "numpy", "many-a")
		p.Record, _ = json.Marshal(p)
		read.Packages = append(read.Packages, p)
	}
	solved := *read
	solved.Packages = nil
	for _, p := range read.Packages {
		solved.Packages = append(solved.Packages, lock.Vet(p))
	}
	for name, l := range map[string]*lock.Lock{"read": read, "solved": &solved} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				do(l)
			}
		})
	}
}
