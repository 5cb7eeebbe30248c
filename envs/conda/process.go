package conda

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
)

// helper is a helper process and what is asked of it.
type helper struct {
	stdin   io.WriteCloser
	process *os.Process
	noise   *noise
	gone    chan struct{} // closed when the process has ended and all that was asked has been answered

	writing sync.Mutex // one line at a time

	mu      sync.Mutex
	last    int // id that was given last
	pending map[int]*call
	death   error // why nothing is answered any more; set before gone is closed
	table   table
}

// start starts a helper.
func (d *Driver) start() (*helper, error) {
	folder, err := placeProgram(d.c.CacheDir)
	if err != nil {
		return nil, err
	}
	h := &helper{gone: make(chan struct{}), pending: map[int]*call{}, noise: &noise{log: d.c.Log}}
	cmd := exec.CommandContext(context.Background(), d.c.Tools.Python, "-I", "-c", loader, folder) // it outlives the request that it is started for
	cmd.Env = d.environment()
	cmd.Dir = d.c.CacheDir
	cmd.Stderr = h.noise
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the helper: %w", err)
	}
	if h.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start the helper: %w", err)
	}
	if err := h.run(cmd, stdout); err != nil {
		return nil, driver.Failf(driver.ToolFailed, "the helper cannot be started; prepare the tool environment anew: %w", err)
	}
	line := settings{
		Cache: filepath.Join(d.c.CacheDir, "repodata"), Alias: d.c.Alias, Offline: d.c.Offline,
		Timeout: d.c.Timeout.Seconds(), Memory: d.c.MemoryBytes,
	}
	if err := h.write(line); err != nil {
		h.kill()
	}
	return h, nil
}

// run starts the process and follows it to its end. The thread that starts a process must outlive it, because the signal that
// ends it with us is tied to that thread.
func (h *helper) run(cmd *exec.Cmd, stdout io.Reader) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread() // or the thread ends, and with it whatever it had started before
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		h.process = cmd.Process
		started <- nil
		heard := make(chan error, 1)
		go func() { heard <- h.listen(stdout) }() // not here: a goroutine that is tied to a thread is slow to wake
		err := <-heard
		_ = h.stdin.Close()
		if err != nil {
			_ = cmd.Process.Kill()
		}
		h.bury(errors.Join(err, cmd.Wait()))
	}()
	return <-started
}

// listen reads messages until there are no more; an error says that they make no sense.
func (h *helper) listen(stdout io.Reader) error {
	lines := bufio.NewScanner(stdout)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for lines.Scan() {
		m, err := parse(lines.Bytes())
		if err != nil {
			return err
		}
		h.deliver(m)
	}
	return lines.Err()
}

// write sends one line.
func (h *helper) write(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write to the helper: %w", err)
	}
	h.writing.Lock()
	defer h.writing.Unlock()
	_, err = h.stdin.Write(append(line, '\n'))
	return err
}

func (h *helper) alive() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.death == nil
}

// kill ends the helper where it stands.
func (h *helper) kill() { _ = h.process.Kill() }

// end has the helper end by itself, or else by force, and waits until it has.
func (h *helper) end() {
	_ = h.stdin.Close()
	select {
	case <-h.gone:
	case <-time.After(time.Second):
		h.kill()
		<-h.gone
	}
}

// bury answers all that is still open when the process has ended.
func (h *helper) bury(err error) {
	death := h.noise.cause(err)
	h.mu.Lock()
	h.death = death
	pending := h.pending
	h.pending = map[int]*call{}
	h.mu.Unlock()
	for _, c := range pending {
		c.answer(death)
	}
	close(h.gone)
}

// deathError says that the helper has ended while it was needed.
type deathError struct{ failure *driver.Failure }

func (e *deathError) Error() string { return e.failure.Error() }
func (e *deathError) Unwrap() error { return e.failure }

// isDeath reports whether it is worth asking another helper. One that ran out of memory will do so again.
func isDeath(err error) bool {
	death, ok := errors.AsType[*deathError](err)
	return ok && death.failure.Cause != driver.OutOfMemory
}

// plain gives the failure alone.
func plain(err error) error {
	if death, ok := errors.AsType[*deathError](err); ok {
		return death.failure
	}
	return err
}

// noise keeps the last words on a helper's standard error and logs its lines.
type noise struct {
	log interface{ Debug(string, ...any) }

	mu   sync.Mutex
	tail []byte
}

const noiseKept = 8 << 10

// Write implements io.Writer.
func (n *noise) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for line := range bytes.Lines(p) {
		n.log.Debug("conda helper", "line", redact(strings.TrimSpace(string(line))))
	}
	n.tail = append(n.tail, p...)
	if over := len(n.tail) - noiseKept; over > 0 {
		n.tail = append(n.tail[:0], n.tail[over:]...)
	}
	return len(p), nil
}

// cause says why a helper has ended.
func (n *noise) cause(err error) *deathError {
	n.mu.Lock()
	words := redact(string(n.tail))
	n.mu.Unlock()
	for _, sign := range []string{"memory allocation of", "MemoryError", "Cannot allocate memory", "out of memory"} {
		if strings.Contains(words, sign) {
			return &deathError{driver.Failf(driver.OutOfMemory, "the solver needed more memory than it is allowed; ask for fewer packages or have the limit raised (environments: memory_bytes)")}
		}
	}
	if line := lastLine(words); line != "" {
		return &deathError{driver.Failf(driver.ToolFailed, "the helper ended: %s (%w)", line, orEOF(err))}
	}
	return &deathError{driver.Failf(driver.ToolFailed, "the helper ended: %w", orEOF(err))}
}

func orEOF(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	if len(line) > 300 {
		line = strings.ToValidUTF8(line[:300], "") + "…"
	}
	return line
}

// passed are the variables of this process that a helper gets: those for the network, and what overrides the host's virtual
// packages. Nothing else can steer it; above all it has no home with somebody's credentials.
var passed = []string{
	"PATH", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
	"http_proxy", "https_proxy", "no_proxy", "all_proxy",
	"CONDA_OVERRIDE_GLIBC", "CONDA_OVERRIDE_CUDA", "CONDA_OVERRIDE_LINUX", "CONDA_OVERRIDE_ARCHSPEC",
}

func (d *Driver) environment() []string {
	// Few arenas: each reserves address space, which the memory limit counts.
	env := []string{"HOME=" + d.c.CacheDir, "MALLOC_ARENA_MAX=2", "RUST_BACKTRACE=0"}
	for _, name := range passed {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	if d.c.AuthFile != "" {
		env = append(env, "RATTLER_AUTH_FILE="+d.c.AuthFile)
	}
	return env
}
