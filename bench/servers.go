package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "embed"
)

// server is a Jupyter server under test.
type server struct {
	name  string
	base  string // of the API: everything before /api
	token string
	http  *http.Client
	dir   string
	proc  *process
	data  string // of a Hopyard: its data directory
	again func() error
}

func newServer(name, base, dir string) *server {
	return &server{
		name: name, base: base, token: "bench", dir: dir,
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 5 * time.Minute},
	}
}

// programs are the processes that serve: the server itself and, with Hopyard, the agents.
func (s *server) programs() []int { return append([]int{s.proc.pid()}, s.agents()...) }

// agents are the processes beside Hopyard's kernels.
func (s *server) agents() (pids []int) {
	files, _ := filepath.Glob(filepath.Join(s.data, "run", "*", "agent.pid"))
	for _, file := range files {
		b, _ := os.ReadFile(file)
		first, _, _ := strings.Cut(string(b), " ")
		if pid, err := strconv.Atoi(strings.TrimSpace(first)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

const startLimit = 2 * time.Minute

// jupyterOfDemo is where the Jupyter server of the project demo is.
const jupyterOfDemo = "/p/demo/jupyter"

// startHopyard starts a gateway with a data directory of its own.
func (b *benchmark) startHopyard(ctx context.Context) (*server, error) {
	dir, err := os.MkdirTemp(b.dir, "h")
	if err != nil {
		return nil, err
	}
	return b.startGateway(ctx, dir, fmt.Sprintf("prepared: %q\nkernelspecs: [%q]\nlog_level: warn\n", b.prepared, filepath.Join(b.specs, "kernels")))
}

// startGateway starts one with that configuration, in a folder.
func (b *benchmark) startGateway(ctx context.Context, dir, configuration string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "hopyard.yaml")
	if err := os.WriteFile(config, []byte(configuration), 0o600); err != nil {
		return nil, err
	}
	address := "127.0.0.1:" + strconv.Itoa(port)
	s := newServer("hopyard", "http://"+address+jupyterOfDemo, dir)
	s.data = filepath.Join(dir, "d")
	s.again = func() (err error) {
		s.proc, err = launch(filepath.Join(dir, "log"), nil, b.hopyard, "serve", "--data", s.data, "--listen", address, "--config", config, "--demo")
		return err
	}
	if err := s.again(); err != nil {
		return nil, err
	}
	err = s.proc.until(ctx, startLimit, func(ctx context.Context) error {
		token, err := os.ReadFile(filepath.Join(s.data, "bootstrap", "admin.token"))
		if err != nil {
			return err
		}
		s.token = strings.TrimSpace(string(token))
		return s.answers(ctx)
	})
	if err == nil {
		err = s.saysReady(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, b.stop(s))
	}
	return s, nil
}

// saysReady waits for the line that a prepared gateway prints.
func (s *server) saysReady(ctx context.Context) error {
	return s.proc.until(ctx, 5*time.Minute, func(context.Context) error {
		if text, err := os.ReadFile(s.proc.log); err != nil || !strings.Contains(string(text), "ready http://") {
			return errors.Join(errors.New("no ready line"), err)
		}
		return nil
	})
}

//go:embed nodelay.py
var nodelay []byte

// The peers by name, and how each differs from the plain installation.
const (
	asShipped = "as shipped"
	nagleOff  = "Nagle off"
	limitsOff = "limits and Nagle off"
)

// startPeers starts several, unless we are alone. Those that were started are returned also with an error.
func (b *benchmark) startPeers(ctx context.Context, names ...string) ([]*server, error) {
	var peers []*server
	for _, name := range names {
		if b.alone {
			break
		}
		s, err := b.startPeer(ctx, name)
		if err != nil {
			return peers, fmt.Errorf("%s: %w", name, err)
		}
		peers = append(peers, s)
	}
	return peers, nil
}

// startPeer starts a jupyter_server with folders of its own.
func (b *benchmark) startPeer(ctx context.Context, name string) (*server, error) {
	dir, err := os.MkdirTemp(b.dir, "j")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := newServer(name, "http://127.0.0.1:"+strconv.Itoa(port), dir)
	config, files := filepath.Join(dir, "config"), filepath.Join(dir, "files")
	if err := errors.Join(os.Mkdir(config, 0o700), os.Mkdir(files, 0o700)); err != nil {
		return nil, err
	}
	argv := []string{
		strings.TrimSuffix(b.real[0], "python") + "jupyter-server", "--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0",
		"--ServerApp.port=" + strconv.Itoa(port), "--ServerApp.root_dir=" + files, "--ServerApp.allow_root=True", "--IdentityProvider.token=" + s.token,
	}
	if name != asShipped {
		if err := os.WriteFile(filepath.Join(config, "jupyter_server_config.py"), nodelay, 0o600); err != nil {
			return nil, err
		}
	}
	if name == limitsOff {
		argv = append(argv, "--ZMQChannelsWebsocketConnection.limit_rate=False")
	}
	env := []string{
		"JUPYTER_CONFIG_DIR=" + config, "JUPYTER_DATA_DIR=" + dir, "JUPYTER_RUNTIME_DIR=" + filepath.Join(dir, "runtime"),
		"IPYTHONDIR=" + filepath.Join(dir, "ipython"), "JUPYTER_PATH=" + b.specs,
	}
	if s.proc, err = launch(filepath.Join(dir, "log"), env, argv...); err != nil {
		return nil, err
	}
	if err := s.proc.until(ctx, startLimit, s.answers); err != nil {
		return nil, errors.Join(err, b.stop(s))
	}
	return s, nil
}

// answers says whether the server takes requests.
func (s *server) answers(ctx context.Context) error {
	_, err := s.do(ctx, http.MethodGet, "/api/kernelspecs", nil, nil)
	return err
}

// stopAll ends servers that are not needed any more; what goes wrong then concerns no figure.
func (b *benchmark) stopAll(all []*server) {
	for _, s := range all {
		if err := b.stop(s); err != nil {
			progress("%s: %v", s.name, err)
		}
	}
}

// stop ends a server and the kernels that it left, and removes its folder.
func (b *benchmark) stop(s *server) error {
	s.http.CloseIdleConnections()
	s.proc.stop()
	var err error
	if s.data != "" {
		err = output(context.Background(), b.hopyard, "stop", "--data", s.data)
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
