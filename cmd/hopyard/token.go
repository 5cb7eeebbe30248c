package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/hopyard/hopyard/projects"
	"github.com/spf13/cobra"
)

func tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "token",
		Short:   "Make API tokens",
		Example: "  hopyard token create --data ./data --user admin --project demo",
		Args:    cobra.NoArgs,
	}
	cmd.AddCommand(tokenCreateCommand())
	return cmd
}

func tokenCreateCommand() *cobra.Command {
	data := Default().Data
	var want projects.NewToken
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a token for a user and print it",
		Long: "Create makes an API token and prints it, and nothing else, on standard output. It is shown only here. " +
			"With --project it works in that project alone. A gateway that serves the directory knows it at once.",
		Example: `  hopyard token create --data ./data --user ada --project demo
  hopyard token create --data ./data --user ada --ttl 24h --note "nightly report"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := findDataDir(data)
			if err != nil {
				return err
			}
			s, err := openSite(cmd.Context(), dir, slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			defer s.Close()
			_, secret, err := s.people.CreateToken(cmd.Context(), projects.By{}, want)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), secret)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&data, "data", data, "the data directory")
	flags.StringVar(&want.User, "user", "", "whose token it is")
	flags.StringVar(&want.Project, "project", "", "the one project that it works in (default: wherever the user may)")
	flags.DurationVar(&want.TTL, "ttl", projects.DefaultTokenTTL, "how long it works, at most "+projects.MaxTokenTTL.Round(time.Hour).String())
	flags.StringVar(&want.Note, "note", "made on the command line", "what it is for")
	_ = cmd.MarkFlagRequired("user") // fails for a flag that is not there only
	return cmd
}
