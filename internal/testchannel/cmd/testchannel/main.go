// Command testchannel makes the channel of the tests, for what is no Go test, and serves it.
//
//	testchannel -dir DIR             copies the channel to DIR, which must not exist
//	testchannel -serve 127.0.0.1:0   serves it, prints its address, and stops on SIGINT or SIGTERM
//
// While it serves, POST /_faults takes the faults (testchannel.Faults) and GET /_requests tells what was asked for.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/hopyard/hopyard/internal/testchannel"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "testchannel:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dir := flag.String("dir", "", "copy the channel to this folder")
	address := flag.String("serve", "", "serve the channel at this address")
	flag.Parse()
	folders, err := testchannel.Build(ctx)
	if err != nil {
		return err
	}
	if *dir != "" {
		if err := os.CopyFS(*dir, os.DirFS(folders.Channel)); err != nil {
			return fmt.Errorf("copy the channel: %w", err)
		}
	}
	if *address == "" {
		fmt.Printf("channel: %s\nwheels: %s\n", folders.Channel, folders.Wheels)
		return nil
	}
	return serve(ctx, *address, testchannel.NewHandler(folders))
}

func serve(ctx context.Context, address string, handler http.Handler) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", listener.Addr())
	server := &http.Server{Handler: handler} //nolint:gosec // answers may take as long as a test wants them to
	ended := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer ended()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
