package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hopyard/hopyard/kernels/wire"
	"github.com/hopyard/hopyard/kernels/zmq"
)

// direct is a kernel without a server: the floor of every latency. It is reached over the transport that the server which
// is compared with it uses: Hopyard's agents use IPC sockets, jupyter_server TCP.
type direct struct {
	proc    *process
	signer  *wire.Signer
	session string
	shell   *zmq.Channel
	iopub   *zmq.Channel
	said    chan wire.Message
	failed  chan error
}

// startDirect starts a kernel and connects to it.
func (b *benchmark) startDirect(ctx context.Context, argv []string, transport string) (*direct, error) {
	dir, err := os.MkdirTemp(b.dir, "k")
	if err != nil {
		return nil, err
	}
	key, ip := newID(), "127.0.0.1"
	if transport == "ipc" {
		ip = filepath.Join(dir, "s")
	}
	conn := map[string]any{"transport": transport, "ip": ip, "key": key, "signature_scheme": "hmac-sha256"}
	for i, name := range []string{"shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"} {
		conn[name] = i + 1
		if transport == "tcp" {
			if conn[name], err = freePort(); err != nil {
				return nil, err
			}
		}
	}
	text, _ := json.Marshal(conn) // strings and numbers always encode
	file := filepath.Join(dir, "connection.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	d := &direct{signer: wire.NewSigner([]byte(key)), session: newID(), said: make(chan wire.Message, 16), failed: make(chan error, 2)}
	filled := make([]string, len(argv))
	for i, arg := range argv {
		filled[i] = strings.ReplaceAll(arg, "{connection_file}", file)
	}
	if d.proc, err = launch(filepath.Join(dir, "log"), []string{"IPYTHONDIR=" + dir}, filled...); err != nil {
		return nil, err
	}
	if err := d.connect(ctx, transport, ip, key, conn); err != nil {
		d.stop()
		return nil, fmt.Errorf("direct %s: %w", transport, err)
	}
	return d, nil
}

func (d *direct) connect(ctx context.Context, transport, ip, key string, conn map[string]any) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	address := func(channel string) zmq.Config {
		if transport == "ipc" {
			return zmq.Config{Network: "unix", Addr: fmt.Sprintf("%s-%v", ip, conn[channel+"_port"])}
		}
		return zmq.Config{Network: "tcp", Addr: fmt.Sprintf("%s:%v", ip, conn[channel+"_port"])}
	}
	dial := func(channel string, kind zmq.Type) (*zmq.Channel, error) {
		cfg := address(channel)
		cfg.Type, cfg.Identity = kind, d.session
		return zmq.DialWhenReady(ctx, cfg)
	}
	if d.iopub, err = dial(wire.IOPub, zmq.Sub); err != nil {
		return err
	}
	go d.follow(d.iopub, wire.IOPub, key)
	if d.shell, err = dial(wire.Shell, zmq.Dealer); err != nil {
		return err
	}
	go d.follow(d.shell, wire.Shell, key)
	// A subscription takes effect some time after the handshake: the first cell is repeated until all of it is heard.
	for ctx.Err() == nil {
		if err = d.run("1", time.Second); err == nil {
			return nil
		}
	}
	return errors.Join(err, context.Cause(ctx))
}

// follow passes on what comes on a channel.
func (d *direct) follow(ch *zmq.Channel, channel, key string) {
	signer := wire.NewSigner([]byte(key))
	for {
		frames, err := ch.Recv()
		if err != nil {
			d.failed <- err
			return
		}
		if m, err := signer.FromFrames(frames, channel); err == nil {
			d.said <- m
		}
	}
}

// run executes a cell and waits until it has been answered and the kernel is idle.
func (d *direct) run(code string, limit time.Duration) error {
	id, m := executeRequest(d.session, code)
	if err := d.shell.Send(d.signer.AppendFrames(nil, m)); err != nil {
		return err
	}
	over := time.NewTimer(limit)
	defer over.Stop()
	for p := (pending{id: id}); !p.done(); {
		select {
		case m := <-d.said:
			p.see(m)
		case err := <-d.failed:
			return err
		case <-over.C:
			return errors.New("no answer")
		}
	}
	return nil
}

func (d *direct) stop() {
	d.proc.kill()
	for _, ch := range []*zmq.Channel{d.shell, d.iopub} {
		if ch != nil {
			ch.Close()
		}
	}
}
