package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
	"github.com/spf13/cobra"
)

func serveCommand() *cobra.Command {
	c := Default()
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the console, JupyterLab and the API",
		Long: "Serve runs the gateway until it gets SIGTERM or SIGINT. Programs that run live on; the next serve finds them again, " +
			"and `hopyard stop` ends them.\n\nThe first start makes the user admin, writes a token for it to DIR/bootstrap/admin.token, " +
			"and prepares JupyterLab's pages, the tools that make environments and the first environment below DIR. Standard output gets the line `ready http://ADDR/` " +
			"when kernels can start, and the line `login http://ADDR/login/link/CODE`, a link that logs in as admin once, within ten " +
			"minutes. All else goes to standard error.",
		Example: `  hopyard serve --data ./data --demo
  hopyard serve --data /srv/hopyard --listen 127.0.0.1:0 --config /etc/hopyard.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := settle(cmd, &c, file); err != nil {
				return err
			}
			return serve(cmd.Context(), c, cmd.OutOrStdout())
		},
	}
	preparationFlags(cmd, &c, &file)
	cmd.Flags().StringVar(&c.Listen, "listen", c.Listen, "where to listen; port 0 takes a free one")
	cmd.Flags().BoolVar(&c.Demo, "demo", c.Demo, `make a project "demo" if there is none`)
	return cmd
}

// Whoever ends the gateway waits five seconds at most: requests get most of it.
const shutdownWait = 3 * time.Second

// serve serves until ctx ends. It listens as soon as the database is open: browsers come back at once after a crash. What takes
// longer is prepared beside it.
func serve(ctx context.Context, c Config, out io.Writer) error {
	dir, err := openDataDir(c.Data)
	if err != nil {
		return err
	}
	held, err := dir.lock()
	if err != nil {
		return err
	}
	defer held.Close()
	log := newLog(c)
	h, err := open(ctx, c, dir, log)
	if err != nil {
		return err
	}
	defer h.Close()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return h.run(ctx, c, listener, out)
}

func (h *house) run(ctx context.Context, c Config, listener net.Listener, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	if c.Operators != "" { // first: if that fails, nothing has been started
		operators, err := h.listenForOperators(ctx, c.Operators)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		defer operators.Close()
	}
	forget, err := h.dir.noteAddress(listener.Addr())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer forget()
	failed := make(chan error, 1)
	work.Go(func() { failed <- h.server.Serve(listener) })
	h.log.InfoContext(ctx, "listening", "address", listener.Addr(), "data", h.dir, "version", version)
	work.Go(func() { h.prepare(ctx, func() { h.sayReady(ctx, c, listener.Addr(), out) }) })
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	h.log.InfoContext(ctx, "stopping; programs live on")
	patience, stop := context.WithTimeout(context.WithoutCancel(ctx), shutdownWait)
	defer stop()
	if err := h.server.Shutdown(patience); err != nil {
		h.log.WarnContext(ctx, "requests were broken off", "reason", err)
	}
	return nil
}

func (h *house) listenForOperators(ctx context.Context, address string) (*http.Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for operators: %w", err)
	}
	server := &http.Server{Handler: h.server.Operators(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Close
	return server, nil
}

// sayReady prints the two lines that scripts and people wait for.
func (h *house) sayReady(ctx context.Context, c Config, address net.Addr, out io.Writer) {
	base := "http://" + address.String()
	fmt.Fprintf(out, "ready %s/\n", base)
	if c.PublicURL != "" {
		base = strings.TrimSuffix(c.PublicURL, "/")
	}
	code, _, err := h.site.people.CreateLink(ctx, projects.By{}, adminName)
	switch {
	case problem.Is(err, problem.NotFound), problem.Is(err, problem.Conflict):
		return // somebody removed or disabled the first account on purpose
	case err != nil:
		h.log.WarnContext(ctx, "no login link", "reason", err)
		return
	}
	fmt.Fprintf(out, "login %s%s\n", base, auth.LinkPath(code))
}

func newLog(c Config) *slog.Logger {
	level, _ := c.level() // has been validated
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}
