package testchannel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"
)

// Faults are what a Handler does wrong, and what it asks for. The zero value serves well. Globs are path.Match's; they match
// the last element of a path, or all of it.
type Faults struct {
	// User and Password are asked for by basic authentication.
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
	// Token must begin every path: /t/TOKEN/channel instead of /channel. Others are answered with 403.
	Token string `json:"token,omitempty"`
	// Slow is how many bytes of an answer are sent in a second; 0 is as fast as can be.
	Slow int64 `json:"slow,omitempty"`
	// CutAfter breaks the connection after so many bytes of an answer; 0 never. It does so CutTimes times, or always if that is 0.
	CutAfter int64 `json:"cut_after,omitempty"`
	CutTimes int   `json:"cut_times,omitempty"`
	// WrongBytes changes one byte of the files that match. That of an archive is one that unpacking does not look at, so that
	// only the hash tells.
	WrongBytes string `json:"wrong_bytes,omitempty"`
	// NotFound answers 404 for what matches.
	NotFound string `json:"not_found,omitempty"`
	// Unavailable is how many of the next requests are answered with 503.
	Unavailable int `json:"unavailable,omitempty"`
	// Hang never answers requests for what matches; "*" is everything.
	Hang string `json:"hang,omitempty"`
	// Hold lets what matches drip, byte by byte, for as long as it matches; "*" is everything. So a client stays in the middle of it
	// until it may go on, however fast or slow anybody is, and cannot say that nothing comes any more.
	Hold string `json:"hold,omitempty"`
}

// RequireBasic asks for a user and a password.
func (h *Handler) RequireBasic(user, password string) {
	h.change(func(f *Faults) { f.User, f.Password = user, password })
}

// RequireToken asks for a token in every path: "/t/TOKEN/channel".
func (h *Handler) RequireToken(token string) { h.change(func(f *Faults) { f.Token = token }) }

// Slow sends so many bytes of each answer in a second.
func (h *Handler) Slow(bytesPerSecond int64) { h.change(func(f *Faults) { f.Slow = bytesPerSecond }) }

// CutAfter breaks the connection after so many bytes of an answer, times times; 0 means always.
func (h *Handler) CutAfter(bytes int64, times int) {
	h.change(func(f *Faults) { f.CutAfter, f.CutTimes = bytes, times })
}

// WrongBytes changes a byte of the files that match.
func (h *Handler) WrongBytes(glob string) { h.change(func(f *Faults) { f.WrongBytes = glob }) }

// NotFound answers 404 for what matches.
func (h *Handler) NotFound(glob string) { h.change(func(f *Faults) { f.NotFound = glob }) }

// Unavailable answers the next requests, so many, with 503.
func (h *Handler) Unavailable(times int) { h.change(func(f *Faults) { f.Unavailable = times }) }

// Hang never answers requests for what matches. Those that hang already stay so until their client leaves.
func (h *Handler) Hang(glob string) { h.change(func(f *Faults) { f.Hang = glob }) }

// Hold lets what matches drip, also where it is under way. What matches no longer goes on.
func (h *Handler) Hold(glob string) { h.change(func(f *Faults) { f.Hold = glob }) }

// Set replaces all faults.
func (h *Handler) Set(f Faults) { h.change(func(now *Faults) { *now = f }) }

func (h *Handler) change(how func(*Faults)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	how(&h.faults)
	close(h.changed)
	h.changed = make(chan struct{})
}

// drip is how much time lies between two bytes of what is held.
const drip = 100 * time.Millisecond

// held reports whether the answer at a path is to drip, and waits for the next drop then.
func (h *Handler) held(ctx context.Context, at string) bool {
	h.mu.Lock()
	glob, changed := h.faults.Hold, h.changed
	h.mu.Unlock()
	if !matches(glob, at) {
		return false
	}
	timer := time.NewTimer(drip)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-changed:
		return h.held(ctx, at)
	case <-ctx.Done():
		return true
	}
}

// take returns the faults that hold for one request, and counts those that wear off.
func (h *Handler) take() Faults {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.faults
	h.faults.Unavailable = max(0, h.faults.Unavailable-1)
	return now
}

// cut reports whether an answer is to be cut, and counts it.
func (h *Handler) cut() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.faults.CutAfter == 0:
		return false
	case h.faults.CutTimes == 1:
		h.faults.CutAfter, h.faults.CutTimes = 0, 0
	case h.faults.CutTimes > 1:
		h.faults.CutTimes--
	}
	return true
}

// refuse answers a request that is not to be served, and says whether it did. It returns the path that is asked for.
func (f Faults) refuse(w http.ResponseWriter, r *http.Request) (string, bool) {
	at := r.URL.Path
	if f.Token != "" {
		rest, ok := strings.CutPrefix(at, "/t/"+f.Token+"/")
		if !ok {
			http.Error(w, "this channel asks for a token", http.StatusForbidden)
			return "", true
		}
		at = "/" + rest
	}
	user, password, _ := r.BasicAuth()
	switch {
	case f.User != "" && (user != f.User || password != f.Password):
		w.Header().Set("WWW-Authenticate", `Basic realm="channel"`)
		http.Error(w, "this channel asks for a password", http.StatusUnauthorized)
	case f.Unavailable > 0:
		http.Error(w, "come back later", http.StatusServiceUnavailable)
	case matches(f.NotFound, at):
		http.NotFound(w, r)
	case matches(f.Hang, at):
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	default:
		return at, false
	}
	return "", true
}

func matches(glob, at string) bool {
	whole, _ := path.Match(glob, at)
	last, _ := path.Match(glob, path.Base(at))
	return glob != "" && (whole || last)
}

// spoiled is an answer that is slow, drips, and breaks off.
type spoiled struct {
	http.ResponseWriter
	request *http.Request
	slow    int64
	left    int64 // bytes until it breaks off; -1 for never
	cut     func() bool
	note    func(status, bytes int)
	held    func() bool // waits for the next drop of what is held
}

// WriteHeader notes the status.
func (s *spoiled) WriteHeader(status int) {
	s.note(status, 0)
	s.ResponseWriter.WriteHeader(status)
}

// Write sends p, as slowly and as far as it is to be sent.
func (s *spoiled) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		n, err := s.some(p[written:])
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

func (s *spoiled) some(p []byte) (int, error) {
	if s.slow > 0 {
		p = p[:min(len(p), int(max(1, s.slow/20)))]
	}
	held := s.held()
	if held {
		p = p[:1]
	}
	if s.left >= 0 && int64(len(p)) > s.left {
		if s.cut() {
			s.note(http.StatusOK, int(s.left))
			_, _ = s.ResponseWriter.Write(p[:s.left])
			_ = http.NewResponseController(s.ResponseWriter).Flush()
			panic(http.ErrAbortHandler)
		}
		s.left = -1
	}
	s.note(http.StatusOK, len(p))
	n, err := s.ResponseWriter.Write(p)
	if s.left >= 0 {
		s.left -= int64(n)
	}
	if held && err == nil {
		err = http.NewResponseController(s.ResponseWriter).Flush()
	}
	if s.slow > 0 && err == nil {
		err = s.pause(time.Duration(n) * time.Second / time.Duration(s.slow))
	}
	return n, err
}

func (s *spoiled) pause(d time.Duration) error {
	_ = http.NewResponseController(s.ResponseWriter).Flush()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.request.Context().Done():
		return s.request.Context().Err()
	}
}

// flipped is a file with one byte changed.
type flipped struct {
	file io.ReadSeeker
	flip int64 // offset of that byte
	at   int64
}

// modTimeOffset is where a ZIP archive has the minutes of its first file, which nobody looks at.
const modTimeOffset = 10

func newFlipped(name string, file io.ReadSeeker, size int64) *flipped {
	f := &flipped{file: file, flip: size / 2}
	if ext := path.Ext(name); ext == ".conda" || ext == ".whl" {
		f.flip = modTimeOffset
	}
	return f
}

// Read reads the file.
func (f *flipped) Read(p []byte) (int, error) {
	n, err := f.file.Read(p)
	if f.at <= f.flip && f.flip < f.at+int64(n) {
		p[f.flip-f.at] ^= 1
	}
	f.at += int64(n)
	return n, err
}

// Seek moves in the file.
func (f *flipped) Seek(offset int64, whence int) (int64, error) {
	at, err := f.file.Seek(offset, whence)
	if err != nil {
		return at, errors.Join(errors.New("seek in a file with a wrong byte"), err)
	}
	f.at = at
	return at, nil
}

// Validate says what is wrong with the globs.
func (f Faults) Validate() error {
	for _, glob := range []string{f.WrongBytes, f.NotFound, f.Hang, f.Hold} {
		if _, err := path.Match(glob, ""); err != nil {
			return fmt.Errorf("%q is no pattern: %w", glob, err)
		}
	}
	return nil
}
