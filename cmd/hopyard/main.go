// Command hopyard is the one binary: the gateway, the agent beside each program, and the tools of operators.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	// Agents are many and small: they go their way before the command line of people is even built.
	if len(os.Args) > 1 && os.Args[1] == "agent" {
		os.Exit(runAgent(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := root().ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errTold) {
			fmt.Fprintln(os.Stderr, "hopyard:", err)
		}
		os.Exit(1)
	}
}

// errTold ends the program with an exit code of 1 when everything has been said already.
var errTold = errors.New("told already")

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hopyard",
		Short: "A notebook gateway: real JupyterLab on kernels that outlive it",
		Example: `  hopyard serve --data ./data --demo
  hopyard doctor`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	cmd.AddCommand(serveCommand(), stopCommand(), prepareCommand(), tokenCommand(), envCommand(), buildCommand(), doctorCommand(), versionCommand())
	sayUsage(cmd)
	return cmd
}

// sayUsage makes commands that get too few or too many arguments say which they take.
func sayUsage(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		sayUsage(c)
	}
	fit := cmd.Args
	if fit == nil || cmd.HasSubCommands() {
		return
	}
	cmd.Args = func(c *cobra.Command, args []string) error {
		if fit(c, args) == nil {
			return nil
		}
		return fmt.Errorf("usage: %s\n  `%s --help` says more", c.UseLine(), c.CommandPath())
	}
}
