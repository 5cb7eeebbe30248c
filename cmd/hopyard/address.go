package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/hopyard/hopyard/agent"
)

// address is where a gateway listens, as it writes it into its data directory for the commands that talk with it. It names the
// process too: a port may belong to somebody else after a crash, who must not be sent a token.
type address struct {
	URL     string        `json:"url"`
	Process agent.Process `json:"process"`
}

func (d dataDir) address() string { return filepath.Join(string(d), "address") }

// noteAddress writes down where this process listens, and gives what removes the note.
func (d dataDir) noteAddress(listens net.Addr) (forget func(), err error) {
	text, err := json.Marshal(address{URL: "http://" + reachable(listens), Process: agent.ProcessOf(os.Getpid())})
	if err != nil {
		return nil, err
	}
	draft := d.address() + ".new"
	if err := os.WriteFile(draft, append(text, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("note the address: %w", err)
	}
	if err := os.Rename(draft, d.address()); err != nil {
		return nil, fmt.Errorf("note the address: %w", err)
	}
	return func() { _ = os.Remove(d.address()) }, nil // a note that stays is recognised by its process
}

// reachable is an address that this host can be reached at: one that stands for all interfaces is none.
func reachable(listens net.Addr) string {
	host, port, err := net.SplitHostPort(listens.String())
	if err != nil {
		return listens.String()
	}
	switch ip := net.ParseIP(host); {
	case ip == nil || !ip.IsUnspecified():
	case ip.To4() != nil:
		host = "127.0.0.1"
	default:
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}

// runningAt finds the gateway that serves the directory.
func (d dataDir) runningAt() (string, error) {
	none := fmt.Errorf("no gateway runs on %s: start it with `hopyard serve --data %s`", d, d)
	text, err := os.ReadFile(d.address())
	if errors.Is(err, fs.ErrNotExist) {
		return "", none
	}
	if err != nil {
		return "", fmt.Errorf("find the gateway: %w", err)
	}
	var a address
	if err := json.Unmarshal(text, &a); err != nil || a.URL == "" || !a.Process.Alive() {
		return "", none
	}
	return a.URL, nil
}
