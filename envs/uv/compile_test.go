package uv_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/uv"
)

func names(wheels []lock.Wheel) string {
	var all []string
	for _, w := range wheels {
		all = append(all, w.Name+"="+w.Version)
	}
	return strings.Join(all, " ")
}

func ask(t *testing.T, i *index, requirements ...string) uv.Request {
	return uv.Request{Requirements: requirements, Python: "3.11", PythonPath: interpreter(t).Path, Index: i.simple()}
}

func TestCompilePicksOneExactWheelPerPackage(t *testing.T) {
	t.Parallel()
	day := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	i := newIndex(t,
		distribution{name: "app", version: "1.0", requires: []string{"native>=1", "gone; sys_platform == 'win32'", "extra-only; extra == 'x'"}, headers: "License-Expression: MIT\n", uploaded: day},
		distribution{name: "native", version: "1.5", tag: "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", headers: "Classifier: License :: OSI Approved :: BSD License\n", uploaded: day},
		distribution{name: "native", version: "1.5", tag: "cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64", headers: "License: BSD\n", uploaded: day},
		distribution{name: "native", version: "1.5", tag: "cp311-cp311-manylinux_2_35_x86_64", uploaded: day},
		distribution{name: "native", version: "1.5", tag: "cp312-cp312-manylinux_2_17_x86_64", uploaded: day},
		distribution{name: "native", version: "1.5", tag: "cp311-cp311-win_amd64", uploaded: day},
	)
	got, err := newTool(t).Compile(t.Context(), ask(t, i, "app"))
	if err != nil {
		t.Fatal(err)
	}
	want := []lock.Wheel{i.wheel(i.all["app"][0]), i.wheel(i.all["native"][1])}
	want[0].License, want[0].Requires, want[1].License = "MIT", []string{"native"}, "BSD"
	for n := range want {
		want[n].Uploaded = "2024-05-06T07:08:09Z"
	}
	if !slices.EqualFunc(got, want, func(a, b lock.Wheel) bool {
		slicesEqual := slices.Equal(a.Requires, b.Requires)
		a.Requires, b.Requires = nil, nil
		return slicesEqual && a.Filename == b.Filename && a.URL == b.URL && a.SHA256 == b.SHA256 && a.Size == b.Size && a.License == b.License && a.Uploaded == b.Uploaded && a.Name == b.Name
	}) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestCompileStaysWithWhatIsPreferred(t *testing.T) {
	t.Parallel()
	i := newIndex(t,
		distribution{name: "one", version: "1.0"}, distribution{name: "one", version: "2.0"},
		distribution{name: "two", version: "1.0"}, distribution{name: "two", version: "2.0"})
	tool := newTool(t)
	prefer := []lock.Wheel{{Name: "one", Version: "1.0"}, {Name: "two", Version: "1.0"}}
	for _, c := range []struct {
		name    string
		upgrade []string
		want    string
	}{
		{"all of it", nil, "one=1.0 two=1.0"},
		{"but what is to be upgraded", []string{"two"}, "one=1.0 two=2.0"},
	} {
		req := ask(t, i, "one", "two")
		req.Prefer, req.Upgrade = prefer, c.upgrade
		got, err := tool.Compile(t.Context(), req)
		if err != nil || names(got) != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.name, names(got), err, c.want)
		}
	}
}

func TestCompileLeavesOutWhatIsProvided(t *testing.T) {
	t.Parallel()
	i := newIndex(t, distribution{name: "app", version: "1.0", requires: []string{"base_lib"}}, distribution{name: "base-lib", version: "1.0"}, distribution{name: "base-lib", version: "2.0"})
	tool := newTool(t)
	req := ask(t, i, "app")
	req.Constraints, req.Provided = []string{"base-lib==1.0"}, []string{"Base_Lib"}
	got, err := tool.Compile(t.Context(), req)
	if err != nil || names(got) != "app=1.0" || !slices.Equal(got[0].Requires, []string{"base-lib"}) {
		t.Fatalf("got %+v, %v", got, err)
	}
	req.Requirements = []string{"app", "base-lib>=2"}
	_, err = tool.Compile(t.Context(), req)
	has(t, failure(t, err, driver.Unsatisfiable).Tree, "base-lib>=2", "base-lib==1.0")
}

func TestCompileKeepsOutWhatIsTooNew(t *testing.T) {
	t.Parallel()
	i := newIndex(t, distribution{name: "one", version: "1.0", uploaded: time.Now().Add(-240 * time.Hour)}, distribution{name: "one", version: "2.0", uploaded: time.Now().Add(-time.Hour)})
	req := ask(t, i, "one")
	req.MinimumAge = 72 * time.Hour
	got, err := newTool(t).Compile(t.Context(), req)
	if err != nil || names(got) != "one=1.0" {
		t.Errorf("got %s, %v", names(got), err)
	}
}

func TestCompileNamesTheCause(t *testing.T) {
	t.Parallel()
	i := newIndex(t,
		distribution{name: "left", version: "1.0", requires: []string{"base<2"}}, distribution{name: "right", version: "1.0", requires: []string{"base>=2"}},
		distribution{name: "base", version: "1.0"}, distribution{name: "base", version: "2.0"},
		distribution{name: "needs-ghost", version: "1.0", requires: []string{"ghost"}},
		distribution{name: "source-only", version: "1.0", sdist: true},
		distribution{name: "elsewhere", version: "1.0", tag: "cp38-cp38-manylinux_2_17_x86_64"})
	for _, c := range []struct {
		name, requirement string
		cause             driver.Cause
		pkg               string
		message, tree     []string
	}{
		{"a conflict is a tree of facts", "left,right", driver.Unsatisfiable, "", []string{"cannot be met together"}, []string{"left depend on base<2\n", "right depend on base>=2\n", "└─ so all versions of left and all versions of right are incompatible", "you require left and right"}},
		{"a version that is not there", "base>=9", driver.Unsatisfiable, "", nil, []string{"base>=9"}},
		{"a package that is not there", "no-such-thing", driver.PackageMissing, "no-such-thing", []string{"no-such-thing"}, nil},
		{"a dependency that is not there", "needs-ghost", driver.PackageMissing, "ghost", []string{"ghost"}, []string{"needs-ghost"}},
		{"sources alone", "source-only", driver.Unsatisfiable, "source-only", []string{"source-only==1.0 has no wheel for Python 3.11 on linux-64", "source builds are off"}, nil},
		{"wheels for another Python", "elsewhere==1.0", driver.Unsatisfiable, "elsewhere", []string{"elsewhere==1.0 has no wheel for Python 3.11"}, nil},
		{"not a version", "base===", driver.SpecInvalid, "", []string{"base==="}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := newTool(t).Compile(t.Context(), ask(t, i, strings.Split(c.requirement, ",")...))
			f := failure(t, err, c.cause)
			if f.Package != c.pkg {
				t.Errorf("package = %q, want %q", f.Package, c.pkg)
			}
			has(t, f.Message, c.message...)
			has(t, f.Tree, c.tree...)
		})
	}
}

func TestCompileTakesRequirementsByNameAlone(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"-r /etc/passwd", "--index-url=http://127.0.0.1/", "./folder", "/folder", "git+https://127.0.0.1/x.git", "x @ http://127.0.0.1/x.whl",
		"http://127.0.0.1/x.whl", "x\ny", "x # hash\n-e .", "", "-e .", "x @ file:///x.whl", "x>=1 --hash=sha256:00\n", "file:x",
	} {
		err := uv.CheckRequirement(line)
		failure(t, err, driver.SpecInvalid)
	}
	for _, line := range []string{"x", "x>=1,<2", "x [a,b] >= 1 ; python_version < '3.12'", "x==1.*", "Foo.Bar_baz~=1.0", "x (>=1)", "x>=1 # why"} {
		if err := uv.CheckRequirement(line); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestCompileWithBadIndex(t *testing.T) {
	t.Parallel()
	one := distribution{name: "one", version: "1.0"}
	t.Run("unavailable once is tried again", func(t *testing.T) {
		t.Parallel()
		i := newIndex(t, one)
		left := 1
		i.answer(func(w http.ResponseWriter, r *http.Request) bool {
			i.mu.Lock()
			defer i.mu.Unlock()
			if left--; left < 0 {
				return false
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		})
		got, err := newTool(t).Compile(t.Context(), ask(t, i, "one"))
		if err != nil || names(got) != "one=1.0" {
			t.Errorf("got %s, %v", names(got), err)
		}
	})
	t.Run("unavailable for good is unreachable", func(t *testing.T) {
		t.Parallel()
		i := newIndex(t, one)
		i.answer(func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true })
		_, err := newTool(t).Compile(t.Context(), ask(t, i, "one"))
		has(t, failure(t, err, driver.ChannelUnreachable).Message, i.URL)
	})
	t.Run("nobody there is unreachable", func(t *testing.T) {
		t.Parallel()
		req := ask(t, newIndex(t), "one")
		req.Index = nobody
		_, err := newTool(t).Compile(t.Context(), req)
		failure(t, err, driver.ChannelUnreachable)
	})
	t.Run("offline without a cache is unreachable", func(t *testing.T) {
		t.Parallel()
		i := newIndex(t, one)
		tool := newTool(t)
		tool.Offline = true
		_, err := tool.Compile(t.Context(), ask(t, i, "one"))
		has(t, failure(t, err, driver.ChannelUnreachable).Message, "offline")
		if n := len(i.seen("")); n != 0 {
			t.Errorf("%d requests while offline", n)
		}
	})
}

func TestCompileEndsWhenItShould(t *testing.T) {
	t.Parallel()
	i := newIndex(t, distribution{name: "one", version: "1.0"})
	asked := make(chan struct{}, 8)
	i.answer(func(w http.ResponseWriter, r *http.Request) bool {
		asked <- struct{}{}
		<-r.Context().Done()
		return true
	})
	t.Run("canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("nobody wants it")
		go func() { <-asked; cancel(why) }()
		_, err := newTool(t).Compile(ctx, ask(t, i, "one"))
		if failure(t, err, driver.Canceled); !errors.Is(err, why) {
			t.Errorf("the reason is lost: %v", err)
		}
	})
	t.Run("timed out", func(t *testing.T) {
		tool := newTool(t)
		tool.Timeout = 300 * time.Millisecond
		_, err := tool.Compile(t.Context(), ask(t, i, "one"))
		failure(t, err, driver.TimedOut)
	})
}

func TestCompileOutOfMemory(t *testing.T) {
	t.Parallel()
	i := newIndex(t, distribution{name: "one", version: "1.0"})
	tool := newTool(t)
	tool.MemoryBytes = 64 << 20
	_, err := tool.Compile(t.Context(), ask(t, i, "one"))
	failure(t, err, driver.OutOfMemory)
}

const secret = `p w"d\ü%40/:`

func TestCompileUsesCredentialsAndKeepsThem(t *testing.T) {
	t.Parallel()
	i := newIndex(t, distribution{name: "one", version: "1.0", requires: []string{"ghost; extra == 'x'"}})
	i.answer(func(w http.ResponseWriter, r *http.Request) bool {
		user, password, _ := r.BasicAuth()
		if user == "us er" && password == secret {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="index"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	t.Run("without any the login is refused", func(t *testing.T) {
		t.Parallel()
		_, err := newTool(t).Compile(t.Context(), ask(t, i, "one"))
		has(t, failure(t, err, driver.AuthFailed).Message, "credentials")
	})
	t.Run("with them it works and the lock has none", func(t *testing.T) {
		t.Parallel()
		tool := newTool(t)
		tool.AuthFile = authFile(t, `{"`+hostOnly(i.Server)+`": {"BasicHTTP": {"username": "us er", "password": "p w\"d\\ü%40/:"}}}`)
		req := ask(t, i, "one")
		req.Index = strings.Replace(req.Index, "http://", "http://some:body@", 1)
		got, err := tool.Compile(t.Context(), req)
		if err != nil || len(got) != 1 || got[0].URL != i.wheel(i.all["one"][0]).URL {
			t.Fatalf("got %+v, %v", got, err)
		}
		if err := tool.Fetch(t.Context(), got, nil, t.TempDir(), nil); err != nil {
			t.Error(err)
		}
		_, err = tool.Compile(t.Context(), ask(t, i, "one", "no-such-thing"))
		f := failure(t, err, driver.PackageMissing)
		if all := f.Message + f.Tree + f.Error() + errors.Unwrap(f).Error(); strings.Contains(all, secret) {
			t.Errorf("the password is told: %s", all)
		}
	})
	t.Run("a file that is no JSON is told without its content", func(t *testing.T) {
		t.Parallel()
		tool := newTool(t)
		tool.AuthFile = authFile(t, "hunter2")
		_, err := tool.Compile(t.Context(), ask(t, i, "one"))
		if f := failure(t, err, driver.AuthFailed); strings.Contains(f.Message, "hunter2") {
			t.Errorf("the file is told: %s", f.Message)
		}
	})
}

func TestDefaultIndexIsAnAddress(t *testing.T) {
	t.Parallel()
	tool := newTool(t)
	got, err := tool.DefaultIndex(t.Context())
	if err != nil || !strings.HasPrefix(got, "https://") {
		t.Errorf("DefaultIndex = %q, %v", got, err)
	}
	if version, err := tool.Version(t.Context()); err != nil || version == "" || version[0] < '0' || version[0] > '9' {
		t.Errorf("Version = %q, %v", version, err)
	}
}

// childOf is the address of an index on which a process of ours, started by the test below, shall hang.
const childOf = "HOPYARD_TEST_UV_INDEX"

func TestMain(m *testing.M) {
	if index := os.Getenv(childOf); index != "" {
		tool := &uv.Tool{Path: os.Args[1]}
		_, _ = tool.Compile(context.Background(), uv.Request{Requirements: []string{"one"}, Python: "3.11", PythonPath: os.Args[2], Index: index})
		return
	}
	os.Exit(m.Run())
}

func TestSolverDiesWithItsOwner(t *testing.T) {
	t.Parallel()
	i := newIndex(t)
	asked, left := make(chan struct{}, 1), make(chan struct{}, 1)
	i.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		asked <- struct{}{}
		<-r.Context().Done() // the connection is cut when uv dies
		left <- struct{}{}
		return true
	})
	owner := exec.Command(os.Args[0], newTool(t).Path, interpreter(t).Path)
	owner.Env = append(os.Environ(), childOf+"="+i.simple())
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	select {
	case <-left:
	case <-time.After(2 * time.Minute):
		t.Error("uv lives on")
	}
}
