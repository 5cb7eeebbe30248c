package testchannel_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/testchannel"
)

const artifact = "/noarch/ipykernel-7.4.0-py_0.conda"

// get asks for a URL and returns the status and the body, as far as it came.
func get(t *testing.T, url string, how ...func(*http.Request)) (int, []byte, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range how {
		set(request)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

func status(t *testing.T, url string, how ...func(*http.Request)) int {
	t.Helper()
	code, _, err := get(t, url, how...)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func original(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testchannel.Dir(t), filepath.FromSlash(artifact)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestServerAsksForWhatItIsToldToAskFor(t *testing.T) {
	t.Parallel()
	s := testchannel.Serve(t)
	s.RequireBasic("ann", "secret")
	if got := status(t, s.Channel()+artifact); got != http.StatusUnauthorized {
		t.Errorf("without a password: status %d, want 401", got)
	}
	if got := status(t, s.Channel()+artifact, func(r *http.Request) { r.SetBasicAuth("ann", "secret") }); got != http.StatusOK {
		t.Errorf("with the password: status %d, want 200", got)
	}
	s.Set(testchannel.Faults{Token: "abc"})
	if got := status(t, s.Channel()+artifact); got != http.StatusForbidden {
		t.Errorf("without a token: status %d, want 403", got)
	}
	if got := status(t, s.URL+"/t/abc/channel"+artifact); got != http.StatusOK {
		t.Errorf("with the token: status %d, want 200", got)
	}
	requests := s.Requests()
	if last := requests[len(requests)-1]; len(requests) != 4 || last.Status != http.StatusOK || last.Bytes != int64(len(original(t))) {
		t.Errorf("Requests() = %+v", requests)
	}
}

func TestServerIsAsBadAsItIsToldToBe(t *testing.T) {
	t.Parallel()
	s := testchannel.Serve(t)
	whole := original(t)

	s.NotFound("repodata_shards*")
	if got := status(t, s.Channel()+"/noarch/repodata_shards.msgpack.zst"); got != http.StatusNotFound {
		t.Errorf("a glob that matches: status %d, want 404", got)
	}
	s.Set(testchannel.Faults{Unavailable: 1})
	if a, b := status(t, s.Channel()+artifact), status(t, s.Channel()+artifact); a != http.StatusServiceUnavailable || b != http.StatusOK {
		t.Errorf("unavailable once: status %d, then %d", a, b)
	}
	s.Set(testchannel.Faults{WrongBytes: "ipykernel*"})
	if _, got, err := get(t, s.Channel()+artifact); err != nil || len(got) != len(whole) || bytes.Equal(got, whole) {
		t.Errorf("wrong bytes: %d of %d bytes, the right ones: %v, %v", len(got), len(whole), bytes.Equal(got, whole), err)
	}
	s.Set(testchannel.Faults{CutAfter: 1000, CutTimes: 1})
	if _, got, err := get(t, s.Channel()+artifact); err == nil || !bytes.Equal(got, whole[:1000]) {
		t.Errorf("cut: %d bytes and %v, want the first 1000 and an error", len(got), err)
	}
	rest := func(r *http.Request) { r.Header.Set("Range", "bytes=1000-") }
	if code, got, err := get(t, s.Channel()+artifact, rest); err != nil || code != http.StatusPartialContent || !bytes.Equal(got, whole[1000:]) {
		t.Errorf("after the cut: status %d, %d bytes, %v, want the rest", code, len(got), err)
	}
	s.Slow(2 * int64(len(whole)))
	began := time.Now()
	if _, got, err := get(t, s.Channel()+artifact); err != nil || !bytes.Equal(got, whole) || time.Since(began) < 250*time.Millisecond {
		t.Errorf("slow: %d bytes in %v, %v", len(got), time.Since(began), err)
	}
}

func TestServerHangsUntilTheClientLeaves(t *testing.T) {
	t.Parallel()
	s := testchannel.Serve(t)
	s.Hang("*.conda")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, _, err := get(t, s.Channel()+artifact, func(r *http.Request) { *r = *r.WithContext(ctx) })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hang: %v, want the client's deadline", err)
	}
	if got := status(t, s.Channel()+"/noarch/repodata.json"); got != http.StatusOK {
		t.Errorf("what does not match: status %d", got)
	}
}

func TestWhatIsHeldDripsUntilItIsLetGo(t *testing.T) {
	t.Parallel()
	s := testchannel.Serve(t)
	whole := original(t)
	s.Hold("*.conda")
	response, err := http.Get(s.Channel() + artifact)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	some := make([]byte, 5)
	if _, err := io.ReadFull(response.Body, some); err != nil || !bytes.Equal(some, whole[:5]) {
		t.Errorf("held: %q and %v, want the first bytes one by one", some, err)
	}
	for _, r := range s.Requests() {
		if r.Bytes >= int64(len(whole)) {
			t.Errorf("held: %d bytes are sent of %d", r.Bytes, len(whole))
		}
	}
	if got := status(t, s.Channel()+"/noarch/repodata.json"); got != http.StatusOK {
		t.Errorf("what does not match: status %d", got)
	}
	s.Hold("")
	if rest, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(rest, whole[5:]) {
		t.Errorf("let go: %d more bytes and %v, want the rest", len(rest), err)
	}
}

func TestFaultsCanBeSetByHTTP(t *testing.T) {
	t.Parallel()
	s := testchannel.Serve(t)
	set := func(text string) int {
		response, err := http.Post(s.URL+"/_faults", "application/json", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	if got := set(`{"not_found":"*.conda"}`); got != http.StatusOK {
		t.Errorf("POST /_faults: status %d", got)
	}
	if got := status(t, s.Channel()+artifact); got != http.StatusNotFound {
		t.Errorf("after it: status %d, want 404", got)
	}
	for _, wrong := range []string{`{"not_found":"["}`, `{"unknown":1}`, `x`} {
		if got := set(wrong); got != http.StatusBadRequest {
			t.Errorf("POST /_faults %s: status %d, want 400", wrong, got)
		}
	}
}

// pip is a real client of the index.
func pip(t *testing.T, index string, more ...string) (string, error) {
	t.Helper()
	args := append([]string{
		"-m", "pip", "--isolated", "download", "--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--retries=0",
		"--index-url=" + index, "--dest=" + t.TempDir(),
	}, more...)
	out, err := exec.CommandContext(t.Context(), "python3", args...).CombinedOutput()
	return string(out), err
}

func TestPipUsesTheIndex(t *testing.T) {
	t.Parallel()
	s := testchannel.Serve(t)
	if out, err := pip(t, s.Simple(), "cowsay", "Too.New_wheel==1.0"); err != nil {
		t.Fatalf("pip download: %v\n%s", err, out)
	}
	s.WrongBytes("cowsay*.whl")
	if out, err := pip(t, s.Simple(), "cowsay"); err == nil || !strings.Contains(out, "DO NOT MATCH THE HASHES") {
		t.Errorf("pip download of wrong bytes: %v\n%s", err, out)
	}
	if out, err := pip(t, s.Simple(), "--only-binary=:all:", "only-sdist"); err == nil {
		t.Errorf("pip found a wheel of only-sdist:\n%s", out)
	}
}

func TestIndexTellsHashesSizesAndAges(t *testing.T) {
	t.Parallel()
	s := testchannel.Serve(t)
	accept := func(r *http.Request) { r.Header.Set("Accept", "application/vnd.pypi.simple.v1+json") }
	_, body, err := get(t, s.Simple()+"too-new-wheel/", accept)
	if err != nil {
		t.Fatal(err)
	}
	var page struct {
		Versions []string
		Files    []struct {
			Filename string
			Size     int64
			Hashes   map[string]string
			Uploaded time.Time         `json:"upload-time"`
			Metadata map[string]string `json:"core-metadata"`
		}
	}
	if err := json.Unmarshal(body, &page); err != nil || len(page.Files) != 2 || len(page.Versions) != 2 {
		t.Fatalf("the page is %s: %v", body, err)
	}
	for _, f := range page.Files {
		tooNew := strings.Contains(f.Filename, "-2.0-")
		if f.Size == 0 || len(f.Hashes["sha256"]) != 64 || len(f.Metadata["sha256"]) != 64 || tooNew != f.Uploaded.After(time.Now()) {
			t.Errorf("the file is %+v", f)
		}
	}
	if got := status(t, s.Simple()+"nothing-of-that-name/"); got != http.StatusNotFound {
		t.Errorf("an unknown project: status %d, want 404", got)
	}
	if got := status(t, s.URL+"/wheels/cowsay-6.1-py3-none-any.whl.metadata"); got != http.StatusOK {
		t.Errorf("metadata of a wheel: status %d", got)
	}
	if got := status(t, s.URL+"/channel/../wheels/x"); got != http.StatusNotFound {
		t.Errorf("a file that is not there: status %d, want 404", got)
	}
}
