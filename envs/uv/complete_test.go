package uv_test

import (
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/uv"
	"github.com/hopyard/hopyard/internal/testchannel"
)

// TestWheelsAreNotFetchedInsideOfTheNetwork: addresses of locks may be anybody's, and names lead anywhere.
func TestWheelsAreNotFetchedInsideOfTheNetwork(t *testing.T) {
	t.Parallel()
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
	t.Cleanup(inner.Close)
	named := strings.Replace(inner.URL, "127.0.0.1", "localhost", 1)
	outer := httptest.NewServer(http.RedirectHandler(named+"/one-1.0-py3-none-any.whl", http.StatusFound))
	t.Cleanup(outer.Close)
	w := lock.Wheel{Name: "one", Version: "1.0", Filename: "one-1.0-py3-none-any.whl", SHA256: strings.Repeat("a", 64)}
	for name, c := range map[string]struct {
		url  string
		tool *uv.Tool
	}{
		"by its address":         {inner.URL, &uv.Tool{}},
		"by a name":              {named, &uv.Tool{}},
		"redirected to it":       {outer.URL, &uv.Tool{Hosts: here}},
		"the host of the index":  {named, &uv.Tool{Hosts: []string{outer.URL + "/simple"}}},
		"uv's index is no cause": {named, newTool(t)},
	} {
		w.URL = c.url + "/one-1.0-py3-none-any.whl"
		f := failure(t, c.tool.Fetch(t.Context(), []lock.Wheel{w}, nil, t.TempDir(), nil), driver.PolicyDenied)
		has(t, f.Message, "inside of this network", "wheel_hosts")
		if f.Rule != "wheel_hosts" {
			t.Errorf("%s: rule %q", name, f.Rule)
		}
	}
}

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
