package testchannel

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Server is the channel and the index on a loopback address, until the test ends.
type Server struct {
	*Handler
	// URL is "http://127.0.0.1:port". The channel is below /channel, the index below /simple/.
	URL string
}

// Serve serves what Build makes, under the conditions of Dir. Each call gives a server of its own, which starts without faults.
func Serve(tb testing.TB) *Server {
	tb.Helper()
	handler := NewHandler(folder(tb, Build))
	server := httptest.NewServer(handler)
	tb.Cleanup(func() {
		server.CloseClientConnections() // ends what hangs
		server.Close()
	})
	return &Server{Handler: handler, URL: server.URL}
}

// Channel is the channel's address, without a token.
func (s *Server) Channel() string { return s.URL + "/channel" }

// Simple is the index's address, as pip and uv take it.
func (s *Server) Simple() string { return s.URL + "/simple/" }

// Request is one that has come. It is there before its answer is, so that who has the answer finds it.
type Request struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	User   string `json:"user,omitempty"`  // of basic authentication
	Range  string `json:"range,omitempty"` // the header
	Status int    `json:"status"`          // 0 for one that hangs
	Bytes  int64  `json:"bytes"`           // of the answer's body, so far
}

// Handler serves a channel and an index, with faults:
//
//	/channel/…    the channel
//	/simple/      the wheels as a simple index (PEP 503, and 691 where JSON is asked for), /wheels/… the files
//	/_faults      POST a Faults in JSON
//	/_requests    the requests so far, in JSON
//
// It is safe for concurrent use.
type Handler struct {
	folders Folders
	index   func() (map[string][]wheel, error)

	mu       sync.Mutex // guards what follows
	faults   Faults
	requests []Request
	changed  chan struct{} // closed when the faults change
}

// NewHandler makes the Handler of some folders. It has no faults yet.
func NewHandler(folders Folders) *Handler {
	return &Handler{folders: folders, changed: make(chan struct{}), index: sync.OnceValues(func() (map[string][]wheel, error) { return readWheels(folders.Wheels) })}
}

// Requests returns what was asked for since the server began.
func (h *Handler) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.requests)
}

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/_faults":
		h.setFaults(w, r)
		return
	case "/_requests":
		_ = json.NewEncoder(w).Encode(h.Requests())
		return
	}
	faults := h.take()
	left := faults.CutAfter
	if left == 0 {
		left = -1
	}
	answer := &spoiled{
		ResponseWriter: w, request: r, slow: faults.Slow, left: left, cut: h.cut, note: h.note(r),
		held: func() bool { return h.held(r.Context(), r.URL.Path) },
	}
	if at, refused := faults.refuse(answer, r); !refused {
		h.serve(answer, r, at, faults)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, at string, faults Faults) {
	at = path.Clean(at)
	if name, ok := strings.CutPrefix(at, "/channel/"); ok {
		serveFile(w, r, filepath.Join(h.folders.Channel, filepath.FromSlash(name)), faults)
		return
	}
	if name, ok := strings.CutPrefix(at, "/wheels/"); ok {
		h.serveWheel(w, r, name, faults)
		return
	}
	if at == "/simple" || strings.HasPrefix(at, "/simple/") {
		h.serveIndex(w, r, strings.TrimPrefix(strings.TrimPrefix(at, "/simple"), "/"))
		return
	}
	http.NotFound(w, r)
}

func serveFile(w http.ResponseWriter, r *http.Request, name string, faults Faults) {
	file, err := os.Open(name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.IsDir() {
		http.NotFound(w, r)
		return
	}
	var content io.ReadSeeker = file
	if matches(faults.WrongBytes, r.URL.Path) {
		content = newFlipped(name, file, info.Size())
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/octet-stream")
	}
	http.ServeContent(w, r, "", info.ModTime(), content)
}

func (h *Handler) setFaults(w http.ResponseWriter, r *http.Request) {
	var f Faults
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&f)
	if err == nil {
		err = f.Validate()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.Set(f)
}

// note adds a request to the list, and returns what adds to it: a status, and bytes that are about to be sent.
func (h *Handler) note(r *http.Request) func(status int, bytes int) {
	user, _, _ := r.BasicAuth()
	h.mu.Lock()
	defer h.mu.Unlock()
	number := len(h.requests)
	h.requests = append(h.requests, Request{Method: r.Method, Path: r.URL.Path, User: user, Range: r.Header.Get("Range")})
	return func(status, bytes int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.requests[number].Status = cmp.Or(h.requests[number].Status, status)
		h.requests[number].Bytes += int64(bytes)
	}
}
