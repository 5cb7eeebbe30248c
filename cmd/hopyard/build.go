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
	var dir, id, standby string
	cmd := &cobra.Command{
		Use:     "build --store DIR (--id ID | --standby NAME)",
		Short:   "Make the files of one environment; started by the gateway",
		Example: "  hopyard build --store DIR --id 0123456789abcdef",
		Hidden:  true,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runBuild(cmd.Context(), dir, id, standby)
		},
	}
	cmd.Flags().StringVar(&dir, "store", "", "the folder of environments")
	cmd.Flags().StringVar(&id, "id", "", "which one to make")
	cmd.Flags().StringVar(&standby, "standby", "", "the name under which to wait for the id of the one to make")
	_ = cmd.MarkFlagRequired("store")
	cmd.MarkFlagsOneRequired("id", "standby")
	cmd.MarkFlagsMutuallyExclusive("id", "standby")
	return cmd
}

func runBuild(ctx context.Context, dir, id, standby string) error {
	s, err := store.Open(dir)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if standby != "" {
		return build.Standby(ctx, build.StandbyConfig{Store: s, Name: standby, Log: log})
	}
	return build.Run(ctx, build.Config{Store: s, ID: id, Log: log})
}
