package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/internal/doctor"
	uilab "github.com/hopyard/hopyard/ui/lab"
	"github.com/spf13/cobra"
)

func doctorCommand() *cobra.Command {
	c := Default()
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this host can and cannot do, and how to mend it",
		Long: "Doctor looks at all that Hopyard uses on this host: Python, channels, isolation, disk, limits, engines. " +
			"It changes nothing. It ends with 1 when something is missing without which no kernel can run.",
		Example: `  hopyard doctor
  hopyard doctor --data /srv/hopyard --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := settle(cmd, &c, file); err != nil {
				return err
			}
			report := doctor.Run(cmd.Context(), doctor.Config{
				Version: version, Data: c.Data,
				First: []func(context.Context) doctor.Check{
					func(ctx context.Context) doctor.Check { return pythonCheck(ctx, c) },
					func(ctx context.Context) doctor.Check { return environmentsCheck(ctx, c) },
					func(ctx context.Context) doctor.Check { return storeCheck(ctx, c) },
					func(context.Context) doctor.Check { return labCheck(c) },
				},
			})
			write := report.Write
			if asJSON {
				write = report.WriteJSON
			}
			if err := write(cmd.OutOrStdout()); err != nil {
				return err
			}
			if !report.Healthy() {
				return errTold
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "the YAML file that serve is given; flags win over it")
	cmd.Flags().StringVar(&c.Data, "data", c.Data, "the data directory")
	cmd.Flags().StringVar(&c.Python, "python", c.Python, "the interpreter that tools, and environments without conda, stand on")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

// pythonCheck looks for the interpreter that the tools stand on.
func pythonCheck(ctx context.Context, c Config) doctor.Check {
	check := doctor.Check{Name: "Python", Needed: true, Means: "the tools that make environments stand on it, and so do environments that are made without conda channels"}
	p, err := tools.FindPython(ctx, c.Python)
	if err != nil {
		check.Status, check.Found = doctor.Missing, err.Error()
		check.Mend = "apt install python3 python3-pip python3-venv, or name an interpreter with --python"
		return check
	}
	check.Status, check.Found = doctor.OK, fmt.Sprintf("%s at %s, %s", p.Full, p.Path, p.Libc)
	if !p.Pip {
		check.Status, check.Mend = doctor.Warn, "apt install python3-pip"
		check.Means = "without pip nothing can be downloaded; an environment that is already built works"
	}
	return check
}

// labCheck looks for prepared files without preparing any.
func labCheck(c Config) doctor.Check {
	check := doctor.Check{Name: "Lab bundle", Status: doctor.OK, Means: "the pages of JupyterLab and Notebook 7, unpacked once below the data directory"}
	folders, _ := filepath.Glob(filepath.Join(c.prepared().ui(), "[0-9a-f]*"))
	for _, folder := range folders {
		if tree, err := uilab.Open(folder); err == nil {
			check.Found = fmt.Sprintf("JupyterLab %s, Notebook %s at %s", tree.LabVersion, tree.NotebookVersion, folder)
			_ = tree.Close()
			return check
		}
	}
	check.Status, check.Found = doctor.Warn, "not unpacked yet"
	check.Mend = "`hopyard serve` unpacks it; the first start needs the network, or the wheels in its cache"
	return check
}
