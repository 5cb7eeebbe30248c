package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/kernels/bridge"
	"github.com/hopyard/hopyard/kernels/terminal"
)

// factories are the kinds of programs that this binary's agents know.
var factories = map[string]agent.Factory{
	bridge.Kind:   bridge.New,
	build.Kind:    build.NewBridge,
	terminal.Kind: terminal.New,
}

// runAgent is the agent process. It is started by the local driver, never by people: it says "ready" on file 3.
func runAgent(args []string) int {
	flags := flag.NewFlagSet("hopyard agent", flag.ContinueOnError)
	dir := flags.String("dir", "", "the workload's folder")
	if err := flags.Parse(args); err != nil || *dir == "" {
		fmt.Fprintln(os.Stderr, "hopyard agent is started by the gateway, with --dir")
		return 2
	}
	// There are many agents and each has little to do: memory matters more than speed of collection.
	debug.SetGCPercent(40)
	// One processor is enough for one program's messages, and nothing is handed from thread to thread: a cell's way gets
	// shorter, and its price in processor time a third smaller.
	runtime.GOMAXPROCS(1)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	err := agent.Run(ctx, agent.Config{Dir: *dir, Factories: factories, Log: log, Ready: sayReady})
	if err != nil {
		log.Error("agent ended", "error", err)
		return 1
	}
	return 0
}

func sayReady() {
	f := os.NewFile(3, "ready")
	if f == nil {
		return
	}
	_, _ = f.WriteString("ready")
	_ = f.Close()
}
