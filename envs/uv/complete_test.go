package uv_test

import (
	"path"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/uv"
	"github.com/hopyard/hopyard/internal/testchannel"
)

func TestCompletedWheelsAreWhatTheIndexSays(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	tool := newTool(t)
	solved, err := tool.Compile(t.Context(), uv.Request{Requirements: []string{"tabulate", "cowsay"}, Python: "3.11", Index: server.Simple()})
	if err != nil {
		t.Fatal(err)
	}
	var bare []lock.Wheel
	for _, w := range solved {
		bare = append(bare, lock.Wheel{Name: w.Name, Version: w.Version, Filename: w.Filename, URL: w.URL, SHA256: w.SHA256})
	}
	bare[0].URL = "https://elsewhere.example/" + path.Base(bare[0].URL) // the index knows it by its hash
	stranger := bare[1]
	stranger.SHA256 = strings.Repeat("a", 64)
	got, err := newTool(t).Complete(t.Context(), uv.Completion{Wheels: append(bare, stranger), Python: "3.11", Index: server.Simple()})
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range solved {
		if got[i].License != w.License || w.License == "" || got[i].Uploaded != w.Uploaded || got[i].URL != bare[i].URL {
			t.Errorf("completed %+v, want %+v", got[i], w)
		}
	}
	if unknown := got[2]; unknown.License != "" || unknown.Size != 0 {
		t.Errorf("of what the index does not have, %+v is said", unknown)
	}
}
