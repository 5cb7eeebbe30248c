package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

// connection is how a kernel is reached.
type connection struct {
	transport, ip, key string
	ports              map[string]int // by channel
}

var channelNames = []string{wire.Shell, wire.IOPub, wire.Stdin, wire.Control, "hb"}

// newConnection chooses addresses. Those of IPC are files in the folder.
func newConnection(transport, dir string) (c connection, err error) {
	c = connection{transport: transport, ip: "127.0.0.1", key: newID(), ports: map[string]int{}}
	if transport == "ipc" {
		c.ip = filepath.Join(dir, "s")
	}
	for i, name := range channelNames {
		c.ports[name] = i + 1
		if transport == "tcp" {
			if c.ports[name], err = freePort(); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

// file is the text of the kernel's connection file.
func (c connection) file() ([]byte, error) {
	fields := map[string]any{"transport": c.transport, "ip": c.ip, "key": c.key, "signature_scheme": "hmac-sha256"}
	for name, port := range c.ports {
		fields[name+"_port"] = port
	}
	return json.Marshal(fields)
}

// dial waits until the kernel listens on a channel.
func (c connection) dial(ctx context.Context, channel, session string) (*zmq.Channel, error) {
	cfg := zmq.Config{Network: "tcp", Addr: fmt.Sprintf("%s:%d", c.ip, c.ports[channel]), Type: zmq.Dealer, Identity: session}
	if c.transport == "ipc" {
		cfg.Network, cfg.Addr = "unix", fmt.Sprintf("%s-%d", c.ip, c.ports[channel])
	}
	if channel == wire.IOPub {
		cfg.Type = zmq.Sub
	}
	return zmq.DialWhenReady(ctx, cfg)
}

// startKernel starts a kernel without connecting to it.
func (b *benchmark) startKernel(env, argv []string, transport string) (*direct, connection, error) {
	dir, err := os.MkdirTemp(b.dir, "k")
	if err != nil {
		return nil, connection{}, err
	}
	conn, err := newConnection(transport, dir)
	if err != nil {
		return nil, conn, err
	}
	text, err := conn.file()
	file := filepath.Join(dir, "connection.json")
	if err = errors.Join(err, os.WriteFile(file, text, 0o600)); err != nil {
		return nil, conn, err
	}
	d := &direct{signer: wire.NewSigner([]byte(conn.key)), session: newID(), said: make(chan wire.Message, 16), failed: make(chan error, 2)}
	filled := make([]string, len(argv))
	for i, arg := range argv {
		filled[i] = strings.ReplaceAll(arg, "{connection_file}", file)
	}
	d.proc, err = launch(filepath.Join(dir, "log"), append([]string{"IPYTHONDIR=" + dir}, env...), filled...)
	return d, conn, err
}

// startDirect starts a kernel and connects to it.
func (b *benchmark) startDirect(ctx context.Context, argv []string, transport string) (*direct, error) {
	d, conn, err := b.startKernel(nil, argv, transport)
	if err != nil {
		return nil, err
	}
	if err := d.connect(ctx, conn); err != nil {
		d.stop()
		return nil, fmt.Errorf("direct %s: %w", transport, err)
	}
	return d, nil
}

func (d *direct) connect(ctx context.Context, conn connection) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if d.iopub, err = conn.dial(ctx, wire.IOPub, d.session); err != nil {
		return err
	}
	go d.follow(d.iopub, wire.IOPub, conn.key)
	if d.shell, err = conn.dial(ctx, wire.Shell, d.session); err != nil {
		return err
	}
	go d.follow(d.shell, wire.Shell, conn.key)
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

// stop ends the kernel, and what it was started by, which may not have become the kernel itself.
func (d *direct) stop() {
	_ = syscall.Kill(-d.proc.pid(), syscall.SIGKILL) // it leads a group, as it leads a session
	<-d.proc.gone
	for _, ch := range []*zmq.Channel{d.shell, d.iopub} {
		if ch != nil {
			ch.Close()
		}
	}
}
