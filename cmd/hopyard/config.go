package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// Config is what `hopyard serve` can be told, in a YAML file and by flags; a flag wins over the file.
type Config struct {
	// Data is the data directory.
	Data string `yaml:"data"`
	// Listen is the address of the web server, host:port. Port 0 takes a free one.
	Listen string `yaml:"listen"`
	// PublicURL is how browsers reach the gateway when a proxy that speaks TLS stands in front. Declaring it allows to listen
	// elsewhere than on loopback.
	PublicURL string `yaml:"public_url"`
	// Proxies are the networks of proxies whose X-Forwarded-For is believed, for the addresses in the audit log.
	Proxies []netip.Prefix `yaml:"proxies"`
	// Operators is the address of a second listener with /healthz, /readyz and /metrics, which need no login; empty means none.
	Operators string `yaml:"operators"`
	// Demo makes a project "demo" on the first start.
	Demo bool `yaml:"demo"`
	// Offline forbids downloads.
	Offline bool `yaml:"offline"`
	// Python is the interpreter that our tools, and environments without conda, are built on; empty means the newest fit one on
	// PATH.
	Python string `yaml:"python"`
	// Prepared is the folder below which environments, their tools and Lab's pages are kept; empty means the data directory.
	// Several data directories may share one.
	Prepared string `yaml:"prepared"`
	// Kernelspecs are folders of kernelspecs that every project has besides those of its environment.
	Kernelspecs []string `yaml:"kernelspecs"`
	// InlineScripts lets outputs of trusted notebooks run script that is written into their HTML, as bokeh's and folium's. It
	// weakens the content security policy of the pages.
	InlineScripts bool `yaml:"inline_scripts"`
	// Environments says how environments are made and what they may hold.
	Environments Environments `yaml:"environments"`
	// LogLevel is debug, info, warn or error.
	LogLevel string `yaml:"log_level"`
}

// Default is the configuration where nothing is said.
func Default() Config {
	return Config{Data: "data", Listen: "127.0.0.1:8890", LogLevel: "info", Environments: Environments{Standby: true}}
}

// read takes what the file says into c and leaves the rest as it is. It reports every unknown key and wrong type, each with its
// line.
func (c *Config) read(path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the configuration file %s does not exist", path)
	}
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if err := c.parse(text); err != nil {
		return fmt.Errorf("configuration file %s: %w", path, err)
	}
	return nil
}

func (c *Config) parse(text []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	err := decoder.Decode(c)
	if errors.Is(err, io.EOF) { // an empty file says nothing
		return nil
	}
	if mistakes, ok := errors.AsType[*yaml.TypeError](err); ok {
		errs := make([]error, len(mistakes.Errors))
		for i, text := range mistakes.Errors {
			errs[i] = errors.New(plain(text))
		}
		return errors.Join(errs...)
	}
	return err
}

// plain turns the parser's words about Go into words about the file.
func plain(text string) string {
	at, field, unknown := strings.Cut(text, ": field ")
	if name, _, ok := strings.Cut(field, " not found in type"); unknown && ok {
		return fmt.Sprintf("%s: there is no setting %q", at, name)
	}
	return text
}

// Validate reports all mistakes at once, each with the name of its setting.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(name, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %w", name, fmt.Errorf(format, args...)))
	}
	if c.Data == "" {
		wrong("data", "name the data directory")
	}
	if err := c.checkPublicURL(); err != nil {
		wrong("public_url", "%w", err)
	}
	if err := c.checkListen(); err != nil {
		wrong("listen", "%w", err)
	}
	if c.Operators != "" {
		if _, err := splitAddress(c.Operators); err != nil {
			wrong("operators", "%w", err)
		}
	}
	if _, err := c.level(); err != nil {
		wrong("log_level", "%q is not one of debug, info, warn, error", c.LogLevel)
	}
	if strings.ContainsRune(c.Python, '/') && !filepath.IsAbs(c.Python) {
		wrong("python", "%q is neither a name on PATH nor an absolute path", c.Python)
	}
	if err := c.Environments.Validate(); err != nil {
		wrong("environments", "%w", err)
	}
	for _, dir := range c.Kernelspecs {
		if !filepath.IsAbs(dir) {
			wrong("kernelspecs", "%q is not an absolute path", dir)
		}
	}
	return errors.Join(errs...)
}

// splitAddress checks an address to listen on and gives its host.
func splitAddress(address string) (host string, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%q is not host:port, such as 127.0.0.1:8890", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", fmt.Errorf("%q is not a port", port)
	}
	return host, nil
}

func (c *Config) checkListen() error {
	host, err := splitAddress(c.Listen)
	if err != nil {
		return err
	}
	if !loopback(host) && c.PublicURL == "" {
		return fmt.Errorf("%q is reachable from other machines, and passwords would travel in the clear; listen on 127.0.0.1, "+
			"or put a proxy that speaks TLS in front and declare it with public_url", c.Listen)
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func (c *Config) checkPublicURL() error {
	if c.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(c.PublicURL)
	switch {
	case err != nil || u.Host == "":
		return fmt.Errorf("%q is not a URL, such as https://notebooks.example.org", c.PublicURL)
	case u.Scheme != "https":
		return fmt.Errorf("%q does not begin with https://", c.PublicURL)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil:
		return fmt.Errorf("%q must be a scheme and a host and nothing else", c.PublicURL)
	}
	return nil
}

// prepared is where what is made on this host is kept, in the layout of a data directory.
func (c *Config) prepared() dataDir {
	dir, err := filepath.Abs(cmp.Or(c.Prepared, c.Data))
	if err != nil { // only where the working directory is gone
		return dataDir(c.Data)
	}
	return dataDir(dir)
}

func (c *Config) level() (slog.Level, error) {
	var level slog.Level
	err := level.UnmarshalText([]byte(c.LogLevel))
	return level, err
}

// settle puts the flags that were given over the file, and the file over the defaults.
func settle(cmd *cobra.Command, c *Config, file string) error {
	if file != "" {
		given := map[string]string{}
		cmd.Flags().Visit(func(f *pflag.Flag) { given[f.Name] = f.Value.String() })
		if err := c.read(file); err != nil {
			return err
		}
		for name, value := range given {
			if err := cmd.Flags().Set(name, value); err != nil {
				return err
			}
		}
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("the configuration has mistakes:\n%w", err)
	}
	return nil
}
