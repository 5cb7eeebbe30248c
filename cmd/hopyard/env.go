package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/hopyard/hopyard/internal/apiclient"
	"github.com/spf13/cobra"
)

// envCLI is what all commands of `hopyard env` share: which gateway, which project, and how to write.
type envCLI struct {
	url       string
	tokenFile string
	data      string
	project   string
	json      bool
}

// Variables that say what flags do not.
const (
	urlVariable   = "HOPYARD_URL"
	tokenVariable = "HOPYARD_TOKEN"
)

func envCommand() *cobra.Command {
	cli := &envCLI{data: Default().Data}
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Make, change and use the environments of a project",
		Long: "Env talks with a gateway that runs. It finds it and a token by --url and --token-file, else by the variables " + urlVariable +
			" and " + tokenVariable + ", else in the data directory of a gateway on this host. Tokens are never arguments, which everybody on a " +
			"host can read.",
		Example: `  hopyard env create analysis -f environment.yml
  hopyard env run analysis -- python script.py
  hopyard env rollback analysis`,
		Args: cobra.NoArgs,
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&cli.url, "url", "", "the gateway's address (default: $"+urlVariable+", else the gateway on the data directory)")
	flags.StringVar(&cli.tokenFile, "token-file", "", "a file with an API token (default: $"+tokenVariable+", else the data directory's)")
	flags.StringVar(&cli.data, "data", cli.data, "the data directory of a gateway on this host")
	flags.StringVarP(&cli.project, "project", "p", "", "the project (default: the only one that the token sees)")
	flags.BoolVar(&cli.json, "json", false, "print the API's own answer")
	cmd.AddCommand(
		cli.listCommand(), cli.showCommand(), cli.createCommand(), cli.deleteCommand(),
		cli.solveCommand(), cli.buildCommand(), cli.cancelCommand(), cli.logCommand(), cli.packagesCommand(),
		cli.activateCommand(), cli.rollbackCommand(), cli.historyCommand(),
		cli.exportCommand(), cli.gcCommand(), cli.runCommand(), cli.bundleCommand(),
	)
	return cmd
}

// scope is a gateway and the project in it that a command works on.
type scope struct {
	*apiclient.Client
	project string
}

// open finds the gateway, the token and the project.
func (cli *envCLI) open(ctx context.Context) (*scope, error) {
	address, err := cli.address()
	if err != nil {
		return nil, err
	}
	token, err := cli.token()
	if err != nil {
		return nil, err
	}
	client, err := apiclient.New(address, token)
	if err != nil {
		return nil, err
	}
	s := &scope{Client: client, project: cli.project}
	if s.project == "" {
		s.project, err = onlyProject(ctx, client)
	}
	return s, err
}

func (cli *envCLI) address() (string, error) {
	if cli.url != "" {
		return cli.url, nil
	}
	if address := os.Getenv(urlVariable); address != "" {
		return address, nil
	}
	dir, err := cli.dataDir()
	if err != nil {
		return "", err
	}
	return dir.runningAt()
}

// token reads the token. The one of the data directory is the administrator's, and goes to the gateway of that directory only.
func (cli *envCLI) token() (string, error) {
	file := cli.tokenFile
	if file == "" {
		if token := strings.TrimSpace(os.Getenv(tokenVariable)); token != "" {
			return token, nil
		}
		if cli.url != "" || os.Getenv(urlVariable) != "" {
			return "", fmt.Errorf("say who you are: put a token into $%s, or name a file with one by --token-file", tokenVariable)
		}
		dir, err := cli.dataDir()
		if err != nil {
			return "", err
		}
		file = dir.bootstrap()
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("no token: %w; make one with `hopyard token create`, and put it into $%s or name its file by --token-file", err, tokenVariable)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fmt.Errorf("%s holds no token", file)
	}
	return token, nil
}

func (cli *envCLI) dataDir() (dataDir, error) {
	abs, err := filepath.Abs(cli.data)
	if err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	return dataDir(abs), nil
}

// onlyProject is the project that need not be named.
func onlyProject(ctx context.Context, client *apiclient.Client) (string, error) {
	var me struct {
		Projects []struct {
			Name string `json:"name"`
		} `json:"projects"`
	}
	raw, err := client.JSON(ctx, "GET", "/me", nil, nil)
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(raw, &me); err != nil {
		return "", err
	}
	names := make([]string, len(me.Projects))
	for i, p := range me.Projects {
		names[i] = p.Name
	}
	switch len(names) {
	case 0:
		return "", errors.New("the token sees no project; name one with --project")
	case 1:
		return names[0], nil
	default:
		return "", fmt.Errorf("name one of your projects with --project: %s", strings.Join(names, ", "))
	}
}

// path is an address below the project.
func (s *scope) path(parts ...string) string {
	return apiclient.Path(append([]string{"projects", s.project}, parts...)...)
}

// env is an address below one of its environments.
func (s *scope) env(name string, parts ...string) string {
	return s.path(append([]string{"environments", name}, parts...)...)
}

// get reads something and decodes it into out; the answer itself is for --json.
func (s *scope) get(ctx context.Context, path string, query url.Values, out any) (json.RawMessage, error) {
	return s.do(ctx, "GET", path, query, nil, out)
}

// do makes a request and decodes the answer into out, unless that is nil.
func (s *scope) do(ctx context.Context, method, path string, query url.Values, in, out any) (json.RawMessage, error) {
	raw, err := s.JSON(ctx, method, path, query, in)
	if err != nil || out == nil {
		return raw, told(err)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return raw, fmt.Errorf("the gateway's answer cannot be read; is it of another version? %w", err)
	}
	return raw, nil
}

// list is a page of a list of the API.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// all reads a list, page after page, into one.
func all[T any](ctx context.Context, s *scope, path string) (list[T], error) {
	whole := list[T]{Items: []T{}}
	query := url.Values{"limit": {"1000"}}
	for {
		var page list[T]
		if _, err := s.get(ctx, path, query, &page); err != nil {
			return whole, err
		}
		whole.Items = append(whole.Items, page.Items...)
		if page.Next == "" {
			return whole, nil
		}
		query.Set("after", page.Next)
	}
}
