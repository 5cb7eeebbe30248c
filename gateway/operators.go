package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// figures counts what the server did since it started.
type figures struct {
	started time.Time
	byClass [6]atomic.Int64 // answers by the first digit of their status
	now     atomic.Int64    // requests under way; a kernel's websocket is none any more once it is open
}

func newFigures() *figures { return &figures{started: time.Now()} }

// count counts the answers of next. A request that becomes a websocket counts as 1xx.
func (f *figures) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		f.now.Add(1)
		defer f.now.Add(-1)
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, req)
		if class := seen.status / 100; class < len(f.byClass) {
			f.byClass[class].Add(1)
		}
	})
}

// statusWriter remembers the status. Flushing and hijacking go through.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Flush implements http.Flusher.
func (w *statusWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Hijack implements http.Hijacker.
func (w *statusWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.status = http.StatusSwitchingProtocols
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// ReadFrom implements io.ReaderFrom, so that files are sent by the system itself.
func (w *statusWriter) ReadFrom(r io.Reader) (int64, error) { return io.Copy(w.ResponseWriter, r) }

// Unwrap lets http.ResponseController find what else the connection can do.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Operators serves /healthz, /readyz and /metrics, for a listener of its own that the public does not reach.
func (s *Server) Operators() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", s.showReady)
	mux.HandleFunc("GET /metrics", s.showMetrics)
	return mux
}

func (s *Server) showReady(w http.ResponseWriter, req *http.Request) {
	if s.sockets.Draining().Err() != nil {
		http.Error(w, "shutting down", http.StatusServiceUnavailable)
		return
	}
	if s.ready != nil {
		if err := s.ready(req.Context()); err != nil {
			s.log.WarnContext(req.Context(), "not ready", "err", err)
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
	}
	_, _ = io.WriteString(w, "ready\n")
}

// showMetrics writes the figures in the text format of Prometheus.
func (s *Server) showMetrics(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	for class := 1; class < len(s.figures.byClass); class++ {
		if class == 1 {
			b.WriteString("# TYPE hopyard_http_requests_total counter\n")
		}
		fmt.Fprintf(&b, "hopyard_http_requests_total{class=\"%dxx\"} %d\n", class, s.figures.byClass[class].Load())
	}
	gauge(&b, "hopyard_http_requests_in_flight", float64(s.figures.now.Load()))
	gauge(&b, "hopyard_websockets_open", float64(s.sockets.Count()))
	gauge(&b, "process_start_time_seconds", float64(s.figures.started.Unix()))
	gauge(&b, "process_resident_memory_bytes", residentBytes())
	gauge(&b, "process_open_fds", openFiles())
	gauge(&b, "go_goroutines", float64(runtime.NumGoroutine()))
	gauge(&b, "go_heap_objects_bytes", heapBytes())
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

func gauge(b *bytes.Buffer, name string, v float64) {
	fmt.Fprintf(b, "# TYPE %s gauge\n%s %s\n", name, name, strconv.FormatFloat(v, 'f', -1, 64))
}

// residentBytes is the memory that the process occupies, 0 where the system does not tell.
func residentBytes() float64 {
	statm, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(statm))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(fields[1], 64) // 0 is right for what is no number
	return pages * float64(os.Getpagesize())
}

func openFiles() float64 {
	files, _ := os.ReadDir("/proc/self/fd") // none where the system does not tell
	return float64(len(files))
}

func heapBytes() float64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return float64(sample[0].Value.Uint64())
}
