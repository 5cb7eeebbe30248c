package doctor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func java(ctx context.Context) Check {
	c := Check{Name: "Java", Means: "only Spark, Flink and Zeppelin interpreters need it; notebooks do not"}
	path := inHome("JAVA_HOME", "java")
	if path == "" {
		c.Status, c.Found, c.Mend = Warn, "not found", "apt install openjdk-17-jre-headless, or set JAVA_HOME"
		return c
	}
	version, err := firstLine(ctx, path, "-version")
	if err != nil {
		c.Status, c.Found, c.Mend = Warn, fmt.Sprintf("%s does not start: %v", path, err), "install another Java, or set JAVA_HOME"
		return c
	}
	c.Status, c.Found = OK, version+" at "+path
	return c
}

func node(ctx context.Context) Check {
	c := Check{Name: "Node", Means: "only `make build` needs it, version 20 or newer; a built binary does not"}
	version, err := firstLine(ctx, "node", "--version")
	if err != nil {
		c.Status, c.Found, c.Mend = Warn, "not found", "needed only for building: install Node 20 or newer with npm"
		return c
	}
	c.Status, c.Found = OK, version
	return c
}

// engine looks for an engine's program below its home and on PATH.
func engine(name, home, program string) Check {
	c := Check{Name: name, Means: "this release does not use it yet"}
	path := inHome(home, program)
	if path == "" {
		c.Status, c.Found = Warn, fmt.Sprintf("no %s on PATH or in %s", program, home)
		c.Mend = fmt.Sprintf("nothing to do unless you want %s: set %s to its folder", name, home)
		return c
	}
	c.Status, c.Found = OK, path
	return c
}

// inHome finds a program in the bin folder of a home directory that a variable names, else on PATH.
func inHome(home, program string) string {
	if dir := os.Getenv(home); dir != "" {
		if path, err := exec.LookPath(filepath.Join(dir, "bin", program)); err == nil {
			return path
		}
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return ""
	}
	return path
}

// firstLine runs a program that tells its version and gives the first line that names one, on stdout or stderr: options that
// Java picks up are announced before it.
func firstLine(ctx context.Context, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		if hasVersion.MatchString(line) {
			return strings.TrimSpace(line), nil
		}
	}
	return "version unknown", nil
}

var hasVersion = regexp.MustCompile(`\d+\.\d+`)
