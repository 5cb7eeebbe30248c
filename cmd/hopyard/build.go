package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/spf13/cobra"
)

// buildCommand is the program of workloads of kind "build". The gateway starts it; people say "hopyard env build".
func buildCommand() *cobra.Command {
	var dir, id string
	cmd := &cobra.Command{
		Use:     "build --store DIR --id ID",
		Short:   "Make the files of one environment; started by the gateway",
		Example: "  hopyard build --store DIR --id 0123456789abcdef",
		Hidden:  true,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runBuild(cmd.Context(), dir, id)
		},
	}
	cmd.Flags().StringVar(&dir, "store", "", "the folder of environments")
	cmd.Flags().StringVar(&id, "id", "", "which one to make")
	_ = cmd.MarkFlagRequired("store")
	_ = cmd.MarkFlagRequired("id")
	return cmd
}

func runBuild(ctx context.Context, dir, id string) error {
	s, err := store.Open(dir)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	return build.Run(ctx, build.Config{Store: s, ID: id, Log: log})
}
