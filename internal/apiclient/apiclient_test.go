package apiclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hopyard/hopyard/internal/apiclient"
)

func client(t *testing.T, handle http.HandlerFunc) *apiclient.Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	c, err := apiclient.New(server.URL, "secret")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRequestsCarryTheTokenAndEscapedPaths(t *testing.T) {
	t.Parallel()
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%q", strings.Join([]string{r.Method, r.URL.EscapedPath(), r.Header.Get("Authorization"), string(body)}, " "))
	})
	raw, err := c.JSON(t.Context(), "POST", apiclient.Path("projects", "a/b"), nil, map[string]int{"n": 1})
	if want := `"POST /api/v1/projects/a%2Fb Bearer secret {\"n\":1}"`; err != nil || string(raw) != want {
		t.Errorf("JSON() = %s, %v, want %s", raw, err, want)
	}
}

func TestRefusalsAreReadAsTheyWereMeant(t *testing.T) {
	t.Parallel()
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"error":{"code":"conflict","message":"no","id":"1"},"failure":{"cause":"unsatisfiable"}}`)
	})
	_, err := c.JSON(t.Context(), "GET", "/x", nil, nil)
	e, ok := errors.AsType[*apiclient.Error](err)
	if !ok || e.Code != "conflict" || e.Error() != "no" || string(e.Failure) != `{"cause":"unsatisfiable"}` || !isStatus(err, http.StatusConflict) {
		t.Errorf("JSON() = %+v, want the refusal and its failure", err)
	}
}

func TestTokensDoNotFollowRedirects(t *testing.T) {
	t.Parallel()
	asked := atomic.Bool{}
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
	t.Cleanup(other.Close)
	c := client(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
	if _, err := c.JSON(t.Context(), "GET", "/x", nil, nil); !isStatus(err, http.StatusFound) || asked.Load() {
		t.Errorf("JSON() = %v and the other was asked: %v", err, asked.Load())
	}
}

func TestNoAnswerNamesTheAddress(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c, err := apiclient.New(server.URL, "secret")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.JSON(t.Context(), "GET", "/x", nil, nil)
	if _, ok := errors.AsType[*apiclient.UnreachableError](err); !ok || !strings.Contains(err.Error(), server.URL) {
		t.Errorf("JSON() = %v, want the address", err)
	}
	for _, wrong := range []string{"", "localhost:8890", "ftp://x", "http://"} {
		if _, err := apiclient.New(wrong, ""); err == nil {
			t.Errorf("New(%q) takes it", wrong)
		}
	}
}

// TestStreamsGoOnWhereTheyBrokeOff cuts the connection after every event.
func TestStreamsGoOnWhereTheyBrokeOff(t *testing.T) {
	t.Parallel()
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		n := 1
		if last := r.Header.Get("Last-Event-ID"); last != "" {
			_, _ = fmt.Sscan(last, &n)
			n++
		}
		fmt.Fprintf(w, "retry: 1\n\n: ping\n\nid: %d\nevent: log\ndata: a\ndata: b\n\n", n)
	})
	var heard []string
	err := c.Follow(t.Context(), "/events", "", func(e apiclient.Event) bool {
		heard = append(heard, fmt.Sprintf("%s %s %q", e.ID, e.Name, e.Data))
		return e.ID == "3"
	})
	if want := `1 log "a\nb"; 2 log "a\nb"; 3 log "a\nb"`; err != nil || strings.Join(heard, "; ") != want {
		t.Errorf("Follow() = %v, heard %s, want %s", err, strings.Join(heard, "; "), want)
	}
}

func TestStreamThatHasNothingMoreEnds(t *testing.T) {
	t.Parallel()
	c := client(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	if err := c.Follow(t.Context(), "/events", "7", func(apiclient.Event) bool { return false }); err != nil {
		t.Errorf("Follow() = %v, want nil", err)
	}
}

func TestStreamThatIsRefusedIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	asked := atomic.Int32{}
	c := client(t, func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); w.WriteHeader(http.StatusNotFound) })
	err := c.Follow(t.Context(), "/events", "", func(apiclient.Event) bool { return false })
	if !isStatus(err, http.StatusNotFound) || asked.Load() != 1 {
		t.Errorf("Follow() = %v after %d requests, want a 404 after one", err, asked.Load())
	}
}

func TestFollowingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "id: 1\ndata: x\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	err := c.Follow(ctx, "/events", "", func(apiclient.Event) bool { cancel(); return false })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Follow() = %v, want context.Canceled", err)
	}
}

func isStatus(err error, status int) bool {
	e, ok := errors.AsType[*apiclient.Error](err)
	return ok && e.Status == status
}
