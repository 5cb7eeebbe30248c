package lock_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/testchannel"
)

func export(t *testing.T, l *lock.Lock, f lock.Format, name string) []byte {
	t.Helper()
	text, err := l.Export(f, name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestExportsKeepTheirForm(t *testing.T) {
	t.Parallel()
	for file, f := range map[string]lock.Format{
		"explicit.txt": lock.Explicit, "conda-lock.yml": lock.CondaLock, "requirements.txt": lock.Requirements,
		"environment.yml": lock.Environment, "cyclonedx.json": lock.CycloneDX,
	} {
		golden(t, file, export(t, sample(), f, "analysis"))
		if f != lock.Explicit {
			golden(t, "venv-"+file, export(t, venvSample(), f, "analysis"))
		}
	}
}

func TestExportRefusesWhatTheFormCannotHold(t *testing.T) {
	t.Parallel()
	if _, err := venvSample().Export(lock.Explicit, "x"); err == nil || !strings.Contains(err.Error(), "requirements") {
		t.Errorf("an explicit list of wheels: %v, want an error that names requirements", err)
	}
	if _, err := sample().Export("pixi", "x"); err == nil || !strings.Contains(err.Error(), "conda-lock") {
		t.Errorf("an unknown format: %v, want an error that names the known ones", err)
	}
}

func TestNoNameBreaksAnExport(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "a\n- evil: 1", "a\r@EXPLICIT", "ключ: [", "&a *a", "a\u2028b", "\xff"} {
		for _, f := range lock.Formats {
			text := export(t, sample(), f, name)
			if f == lock.CycloneDX {
				validate(t, text)
				continue
			}
			if f == lock.Environment {
				var file struct{ Dependencies []any }
				if err := yaml.Unmarshal(text, &file); err != nil || len(file.Dependencies) != 5 {
					t.Errorf("environment.yml of %q is %s: %v", name, text, err)
				}
			}
			for line := range strings.Lines(string(text)) {
				if strings.HasPrefix(strings.TrimSpace(line), "- evil") || line == "@EXPLICIT" {
					t.Errorf("%s of %q has a line %q", f, name, line)
				}
			}
		}
	}
}

// validate checks a bill of materials with the official schema.
func validate(t *testing.T, text []byte) {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	const at = "http://cyclonedx.org/schema/"
	for _, name := range []string{"bom-1.6", "spdx", "jsf-0.82"} {
		file := name + ".SNAPSHOT.schema.json"
		text, err := os.ReadFile(filepath.Join("testdata", "schema", file))
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiler.AddResource(at+file, value); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile(at + "bom-1.6.SNAPSHOT.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("CycloneDX: %v\n%s", err, text)
	}
}

func TestCycloneDXIsValid(t *testing.T) {
	t.Parallel()
	l := sample()
	for i, license := range []string{"", "MIT", "MIT OR Apache-2.0", "AGPL-3.0-only", "MIT WITH luck", "BSD 3-Clause", "curl", "OR", "TCL"} {
		p := conda(fmt.Sprintf("p%d", i), "1.0", "0", "noarch", "f", fmt.Sprintf("p%d", i+1))
		p.License = license
		l.Packages = append(l.Packages, p)
	}
	validate(t, export(t, l, lock.CycloneDX, "analysis"))
	validate(t, export(t, venvSample(), lock.CycloneDX, "analysis"))
	validate(t, export(t, &lock.Lock{Version: 1, Kind: lock.Conda, Platform: "linux-64"}, lock.CycloneDX, "empty"))
	first := export(t, l, lock.CycloneDX, "a")
	slices.Reverse(l.Packages)
	if !bytes.Equal(first, export(t, l, lock.CycloneDX, "a")) {
		t.Error("the same lock has two bills of materials")
	}
}

func TestExplicitListsWhatIsNeededFirst(t *testing.T) {
	t.Parallel()
	l := sample()
	l.Packages = append(l.Packages, conda("a-one", "1", "0", "noarch", "3", "z-two"), conda("z-two", "1", "0", "noarch", "4", "a-one", "numpy"))
	text := string(export(t, l, lock.Explicit, "x"))
	at := func(name string) int { return strings.Index(text, "/"+name+"-") }
	if at("python_abi") > at("python") || at("python") > at("numpy") || at("numpy") > at("z-two") {
		t.Errorf("the order is wrong:\n%s", text)
	}
}

func python(ctx context.Context, program, script string, args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, append([]string{"-c", script}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	return string(out), errors.Join(err, errorOf(stderr.String(), err))
}

func errorOf(text string, err error) error {
	if err == nil {
		return nil
	}
	return errors.New(text)
}

func write(t *testing.T, name string, text []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const readByRattler = `
import json, os, sys
import rattler
from rattler.explicit_environment import ExplicitEnvironmentSpec
explicit, lock = sys.argv[1:]
entries = [e.url for e in ExplicitEnvironmentSpec.from_path(explicit).packages]
locked = []
for name, environment in rattler.LockFile.from_path(lock).environments():
    for platform in environment.platforms():
        for p in environment.packages(platform):
            locked.append([p.name, str(p.version or ""), p.location])
print(json.dumps([entries, sorted(locked)]))
sys.stdout.flush()
os._exit(0)
`

func TestRattlerReadsExplicitListsAndCondaLock(t *testing.T) {
	t.Parallel()
	program := testchannel.Python(t)
	l := sample()
	out, err := python(t.Context(), program, readByRattler,
		write(t, "explicit.txt", export(t, l, lock.Explicit, "x")), write(t, "conda-lock.yml", export(t, l, lock.CondaLock, "x")))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		explicit []string
		locked   [][]string
	}
	if err := json.Unmarshal([]byte(out), &[]any{&got.explicit, &got.locked}); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	if len(got.explicit) != 4 || len(got.locked) != 6 {
		t.Errorf("rattler reads %v and %v", got.explicit, got.locked)
	}
	for _, p := range l.Packages {
		if !slices.ContainsFunc(got.explicit, func(e string) bool { return strings.HasPrefix(e, p.URL) }) {
			t.Errorf("rattler does not read %s in %v", p.URL, got.explicit)
		}
	}
}

const readByPip = `
import sys
from pip._internal.network.session import PipSession
from pip._internal.req.req_file import parse_requirements
for r in parse_requirements(sys.argv[1], PipSession()):
    print(*r.requirement.split(), r.options)
`

func TestPipReadsRequirements(t *testing.T) {
	t.Parallel()
	out, err := python(t.Context(), testchannel.Python(t), readByPip, write(t, "requirements.txt", export(t, sample(), lock.Requirements, "x")))
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("cowsay==6.1 {'hashes': {'sha256': ['%s']}}\ntorch-like==2.0+cpu {'hashes': {'sha256': ['%s']}}\n", hash("1"), hash("2"))
	if out != want {
		t.Errorf("pip reads %q, want %q", out, want)
	}
}
