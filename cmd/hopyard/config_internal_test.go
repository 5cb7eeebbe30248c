package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestDefaultConfigurationIsValid(t *testing.T) {
	t.Parallel()
	c := Default()
	if err := c.Validate(); err != nil {
		t.Errorf("Validate of the default = %v", err)
	}
}

func TestValidateNamesEveryMistakeAtOnce(t *testing.T) {
	t.Parallel()
	c := Config{Listen: "8890", Operators: "metrics", PublicURL: "http://here", LogLevel: "loud", Python: "bin/python", Kernelspecs: []string{"specs"}}
	err := c.Validate()
	if err == nil {
		t.Fatal("Validate = nil, want mistakes")
	}
	for _, name := range []string{"data:", "listen:", "public_url:", "operators:", "log_level:", "python:", "kernelspecs:"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("Validate does not name %s in %q", name, err)
		}
	}
}

func TestListenLeavesLoopbackOnlyBehindADeclaredProxy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		listen, public string
		ok             bool
	}{
		{"127.0.0.1:0", "", true},
		{"localhost:8890", "", true},
		{"[::1]:8890", "", true},
		{"0.0.0.0:8890", "", false},
		{":8890", "", false},
		{"192.0.2.7:8890", "", false},
		{"notebooks.example.org:8890", "", false},
		{"0.0.0.0:8890", "https://notebooks.example.org", true},
		{"127.0.0.1:99999", "", false},
		{"127.0.0.1", "", false},
	} {
		config := Default()
		config.Listen, config.PublicURL = c.listen, c.public
		if err := config.Validate(); (err == nil) != c.ok {
			t.Errorf("Validate of listen %q, public_url %q = %v, want ok %v", c.listen, c.public, err, c.ok)
		}
	}
}

func TestReadReportsEveryUnknownKeyAndWrongType(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hopyard.yaml")
	text := "listen: 127.0.0.1:1\nlissten: x\ndemo: perhaps\noffline: true\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Default()
	err := c.read(path)
	if err == nil {
		t.Fatal("read = nil, want two mistakes")
	}
	for _, want := range []string{`line 2: there is no setting "lissten"`, "line 3"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("read = %q, want %q in it", err, want)
		}
	}
	if c.Listen != "127.0.0.1:1" || c.Data != "data" {
		t.Errorf("read left %+v, want what the file says over the default", c)
	}
}

func TestReadTakesAnEmptyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hopyard.yaml")
	if err := os.WriteFile(path, []byte("# nothing yet\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Default()
	if err := c.read(path); err != nil || !reflect.DeepEqual(c, Default()) {
		t.Errorf("read of an empty file = %v, %+v, want the default", err, c)
	}
}

func FuzzParseNeverPanics(f *testing.F) {
	f.Add("listen: 127.0.0.1:1\n")
	f.Add("a: &a [*a]\n")
	f.Add("demo: [1\n- x: {")
	f.Fuzz(func(_ *testing.T, text string) {
		c := Default()
		if c.parse([]byte(text)) == nil {
			_ = c.Validate()
		}
	})
}
