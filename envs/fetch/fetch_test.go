package fetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/fetch"
	"github.com/hopyard/hopyard/internal/egress"
)

// server serves one file, and keeps what it was asked.
type server struct {
	*httptest.Server
	content []byte

	mu    sync.Mutex // guards what is below
	asked []*http.Request
}

// serve answers as before does, where that is not nil and says true; n counts the requests from 1.
func serve(t *testing.T, before func(n int, w http.ResponseWriter, r *http.Request) bool) *server {
	t.Helper()
	s := &server{content: bytes.Repeat([]byte("0123456789abcdef"), 40_000)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r)
		n := len(s.asked)
		s.mu.Unlock()
		if before == nil || !before(n, w, r) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.content))
		}
	}))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *server) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *server) file() fetch.File {
	sum := sha256.Sum256(s.content)
	return fetch.File{Package: "one", Name: "one-1.0-0.conda", URL: s.URL + "/noarch/one-1.0-0.conda", SHA256: hex.EncodeToString(sum[:]), Size: int64(len(s.content)), Channel: true}
}

// here lets requests go to this host.
func here(t *testing.T) context.Context {
	return egress.Allow(t.Context(), egress.Hosts("127.0.0.1", "localhost"))
}

func failure(t *testing.T, err error, cause driver.Cause) *driver.Failure {
	t.Helper()
	f, ok := errors.AsType[*driver.Failure](err)
	if !ok || f.Cause != cause || f.Package != "one" {
		t.Fatalf("got %+v (%v), want a failure of one with the cause %s", f, err, cause)
	}
	return f
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestGetBringsAFileWhoseSizeIsNotKnown(t *testing.T) {
	t.Parallel()
	s, to := serve(t, nil), filepath.Join(t.TempDir(), "part")
	f := s.file()
	f.Size = 0
	var last int64
	if err := (fetch.Source{}).Get(here(t), f, to, func(have int64) { last = have }); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(content(t, to), s.content) || last != int64(len(s.content)) {
		t.Errorf("%d bytes were told, %d are there", last, len(content(t, to)))
	}
}

func TestGetAsksNobodyForWhatIsThere(t *testing.T) {
	t.Parallel()
	s, to := serve(t, nil), filepath.Join(t.TempDir(), "part")
	if err := os.WriteFile(to, s.content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (fetch.Source{}).Get(here(t), s.file(), to, nil); err != nil || len(s.requests()) > 0 {
		t.Errorf("Get = %v after %d requests", err, len(s.requests()))
	}
}

// stand sends a part of what is asked for and then nothing.
func stand(w http.ResponseWriter, r *http.Request, content []byte) bool {
	var from int
	_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
	if from > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	_, _ = w.Write(content[from : from+1000])
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
	return true
}

func TestGetConnectsAnewWhereNothingComes(t *testing.T) {
	t.Parallel()
	var s *server
	s = serve(t, func(n int, w http.ResponseWriter, r *http.Request) bool { return n == 1 && stand(w, r, s.content) })
	to := filepath.Join(t.TempDir(), "part")
	if err := (fetch.Source{Stall: 4 * time.Second}).Get(here(t), s.file(), to, nil); err != nil {
		t.Fatal(err)
	}
	if asked := s.requests(); len(asked) != 2 || asked[1].Header.Get("Range") != "bytes=1000-" || !bytes.Equal(content(t, to), s.content) {
		t.Errorf("%d requests", len(asked))
	}
}

func TestGetGivesUpWhatStandsStill(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(w http.ResponseWriter, r *http.Request, content []byte) bool{
		"no answer":                         func(_ http.ResponseWriter, r *http.Request, _ []byte) bool { <-r.Context().Done(); return true },
		"always a little, and then nothing": stand,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s *server
			s = serve(t, func(_ int, w http.ResponseWriter, r *http.Request) bool { return before(w, r, s.content) })
			to := filepath.Join(t.TempDir(), "part")
			f := failure(t, (fetch.Source{Stall: time.Second}).Get(here(t), s.file(), to, nil), driver.TimedOut)
			if !strings.Contains(f.Message, "one-1.0-0.conda") || !strings.Contains(f.Message, "has not moved") {
				t.Errorf("message = %q", f.Message)
			}
		})
	}
}

func TestGetGivesCredentialsToTheirHostAlone(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a token in the path": `{"127.0.0.1": {"CondaToken": "s3cret"}}`,
		"a password":          `{"127.0.0.1": {"BasicHTTP": {"username": "ada", "password": "s3cret"}}}`,
		"a bearer's token":    `{"127.0.0.1": {"BearerToken": "s3cret"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := serve(t, nil)
			s := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) bool {
				http.Redirect(w, r, strings.Replace(other.URL, "127.0.0.1", "localhost", 1)+"/elsewhere", http.StatusFound)
				return true
			})
			auth := filepath.Join(t.TempDir(), "auth.json")
			if err := os.WriteFile(auth, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			known, err := fetch.ReadCredentials(auth)
			if err != nil {
				t.Fatal(err)
			}
			if err := (fetch.Source{Credentials: known}).Get(here(t), s.file(), filepath.Join(t.TempDir(), "part"), nil); err != nil {
				t.Fatal(err)
			}
			if all := seen(s); !strings.Contains(all, "s3cret") && !strings.Contains(all, "Basic") {
				t.Errorf("the host was not told: %s", all)
			}
			if all := seen(other); strings.Contains(all, "s3cret") || strings.Contains(all, "Authorization") {
				t.Errorf("another host was told: %s", all)
			}
		})
	}
}

// seen is all that a server was told.
func seen(s *server) string {
	var all strings.Builder
	for _, r := range s.requests() {
		fmt.Fprintln(&all, r.URL, r.Header)
	}
	return all.String()
}

func TestGetGoesInsideOnlyWhereItMay(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	f := failure(t, (fetch.Source{}).Get(t.Context(), s.file(), filepath.Join(t.TempDir(), "part"), nil), driver.PolicyDenied)
	if _, ok := errors.AsType[*egress.Error](f); !ok {
		t.Errorf("failure = %+v", f)
	}
}

func TestClaimIsOneHoldersAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "archive")
	var held, most int
	var mu sync.Mutex
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			c, err := fetch.Take(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			held++
			most = max(most, held)
			mu.Unlock()
			_, err = os.Stat(path)
			mu.Lock()
			held--
			mu.Unlock()
			if n%2 == 0 {
				err = errors.Join(err, c.Remove())
			} else {
				err = errors.Join(err, c.Close())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most != 1 {
		t.Errorf("%d held it at a time", most)
	}
}

func TestTakeEndsWhenCanceled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "archive")
	c, err := fetch.Take(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := fetch.Take(ctx, path); driver.FailureOf(err).Cause != driver.Canceled {
		t.Errorf("Take = %v", err)
	}
}
