package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/hopyard/hopyard/workloads"
	"github.com/spf13/cobra"
)

// stopWait is how long all programs together may take to end; the last seconds of each are by force.
const stopWait = 2 * time.Minute

func stopCommand() *cobra.Command {
	data := Default().Data
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "End everything that runs from a data directory",
		Long: "Stop ends all kernels and terminals of a data directory, kindly first and then by force, whether a gateway serves it or " +
			"not. It does not end the gateway: send that SIGTERM.",
		Example: "  hopyard stop --data ./data",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := findDataDir(data)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), stopWait)
			defer cancel()
			return stopAll(ctx, dir, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&data, "data", data, "the data directory")
	return cmd
}

func stopAll(ctx context.Context, dir dataDir, out io.Writer) error {
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := openSite(ctx, dir, log)
	if err != nil {
		return err
	}
	defer s.Close()
	runs, err := openWorkloads(s, dir, log)
	if err != nil {
		return err
	}
	defer runs.Close()
	runs.Start()
	return runs.StopAll(ctx, "", func(w workloads.Info) {
		fmt.Fprintf(out, "stopping %s %s of %s in %s\n", w.Kind, cmp.Or(w.Name, w.ID), w.Owner, w.Project)
	})
}
