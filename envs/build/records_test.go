package build_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/store"
)

// recordWith is a record as py-rattler writes it; hash is that of a file as it is in one prefix.
func recordWith(hash string) string {
	locked := lockOf("made").Packages[0].SHA256
	return `{
  "build": "0",
  "name": "made",
  "sha256": "` + locked + `",
  "summary": "\"sha256_in_prefix\": \"` + locked + `\", as they say",
  "version": "1.0",
  "paths_data": {
    "paths_version": 1,
    "paths": [
      {
        "_path": "bin/tool",
        "path_type": "unix_python_entry_point",
        "sha256": "` + hash + `",
        "size_in_bytes": 289
      },
      {
        "_path": "bin/text",
        "path_type": "hardlink",
        "sha256": "` + locked + `",
        "sha256_in_prefix": "` + hash + `",
        "size_in_bytes": 157,
        "file_mode": "text",
        "prefix_placeholder": "/placeholder"
      }
    ]
  }
}`
}

func TestPrefixesShareRecordsOfPackagesThatHoldThePrefix(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const name = "conda-meta/made-1.0-0.json"
	if s.Link() != "hardlink" {
		t.Skipf("this filesystem shares by %s", s.Link())
	}
	var records []string
	var found []os.FileInfo
	for _, digit := range []string{"a", "b"} {
		m, err := made(t, s, store.Order{Options: store.Options{Variables: map[string]string{"N": digit}}},
			files(map[string]string{name: recordWith(strings.Repeat(digit, 64))}))
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, filepath.Join(m.Prefix, name))
		info, err := os.Stat(filepath.Join(m.Prefix, name))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, info)
	}
	if !os.SameFile(found[0], found[1]) {
		t.Error("the records of two prefixes are two files")
	}
	text, err := os.ReadFile(records[0])
	if err != nil {
		t.Fatal(err)
	}
	var record struct {
		Summary string
		Paths   struct {
			Paths []map[string]any
		} `json:"paths_data"`
	}
	if err := json.Unmarshal(text, &record); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	locked := lockOf("made").Packages[0].SHA256
	want := []map[string]any{
		{"_path": "bin/tool", "path_type": "unix_python_entry_point", "size_in_bytes": 289.0},
		{
			"_path": "bin/text", "path_type": "hardlink", "sha256": locked, "size_in_bytes": 157.0,
			"file_mode": "text", "prefix_placeholder": "/placeholder",
		},
	}
	if !reflect.DeepEqual(record.Paths.Paths, want) {
		t.Errorf("paths = %v, want %v", record.Paths.Paths, want)
	}
	if want := `"sha256_in_prefix": "` + locked + `", as they say`; record.Summary != want {
		t.Errorf("summary = %s, want %s", record.Summary, want)
	}
}
