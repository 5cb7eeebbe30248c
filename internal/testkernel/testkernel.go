// Package testkernel is a Jupyter kernel that does what a test tells it to: answer at once, flood, hang, ask for input,
// die, or send what no kernel should.
//
// It has its own ZeroMQ codec, so that it is an independent peer of kernels/zmq and kernels/wire, and speaks the kernel
// protocol over five sockets like any other kernel: jupyter_client and jupyter_server can start it too. What the code of
// a cell means is listed at Kernel.run. It never drops a message for a subscriber: it waits until it has been read.
package testkernel

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Build compiles the kernel's program into dir and returns its path.
func Build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "testkernel")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/hopyard/hopyard/internal/testkernel/cmd/testkernel")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build testkernel: %w: %s", err, out)
	}
	return path, nil
}

// Main is the program, without the call to os.Exit: args are its arguments, the result its exit code.
func Main(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("testkernel", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("f", "", "connection `file`")
	delay := flags.Duration("delay", 0, "wait before the sockets are bound")
	die := flags.String("die", "", "write this `text` to stderr at start and exit with 1")
	if flags.Parse(args) != nil {
		return 2
	}
	time.Sleep(*delay)
	if *die != "" {
		fmt.Fprintln(stderr, *die)
		return 1
	}
	k, err := start(*file, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "testkernel:", err)
		return 1
	}
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, syscall.SIGINT)
	for {
		select {
		case <-interrupts:
			k.interrupt()
		case code := <-k.exit:
			return code
		}
	}
}

// connection is a connection file.
type connection struct {
	Transport string `json:"transport"`
	IP        string `json:"ip"`
	Key       string `json:"key"`
	Shell     int    `json:"shell_port"`
	IOPub     int    `json:"iopub_port"`
	Stdin     int    `json:"stdin_port"`
	Control   int    `json:"control_port"`
	Heartbeat int    `json:"hb_port"`
}

// start reads the connection file, binds the five sockets and serves them until the process ends.
func start(file string, stderr io.Writer) (*Kernel, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("connection file: %w", err)
	}
	var conn connection
	if err := json.Unmarshal(text, &conn); err != nil {
		return nil, fmt.Errorf("connection file: %w", err)
	}
	k := newKernel([]byte(conn.Key), stderr)
	return k, errors.Join(
		conn.serve(conn.Heartbeat, "REP", serveHeartbeat),
		conn.serve(conn.IOPub, "PUB", k.iopub.serve),
		conn.serve(conn.Stdin, "ROUTER", k.stdin.serve),
		conn.serve(conn.Control, "ROUTER", k.control.serve),
		conn.serve(conn.Shell, "ROUTER", k.shell.serve),
	)
}

// serve binds one socket and gives each peer that shakes hands a goroutine in handle.
func (c connection) serve(port int, socketType string, handle func(*peer)) error {
	l, err := c.listen(port)
	if err != nil {
		return err
	}
	go func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer raw.Close()
				if p, err := shakeHands(raw, socketType); err == nil {
					handle(p)
				}
			}()
		}
	}()
	return nil
}

func (c connection) listen(port int) (net.Listener, error) {
	if c.Transport == "ipc" {
		path := c.IP + "-" + strconv.Itoa(port)
		_ = os.Remove(path) // like libzmq: what an earlier kernel left is in the way
		return net.Listen("unix", path)
	}
	return net.Listen("tcp", net.JoinHostPort(c.IP, strconv.Itoa(port)))
}

func serveHeartbeat(p *peer) {
	for {
		frames, err := p.recv()
		if err != nil {
			return
		}
		if p.send(frames...) != nil {
			return
		}
	}
}
