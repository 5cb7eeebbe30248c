package build

import (
	"bufio"
	"bytes"
	"context"
	_ "embed" // for compile.py
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hopyard/hopyard/envs/driver"
)

//go:embed compile.py
var compileProgram string

// module is one Python source to compile. Paths are absolute; name is what the compiled code says that it is until it is
// loaded, when the importer puts the real path in.
type module struct {
	source, target, name string
	ok                   bool // set when it has been compiled
}

// maxCrashes is how often a compiler may die on a module before that counts as a fault of the interpreter.
const maxCrashes = 20

// compiler compiles modules with an environment's own interpreter.
type compiler struct {
	b      *builder
	python string
	done   atomic.Int32
	total  int
}

// compile compiles the modules in as many processes as there are processors, two at most: builds are not alone. What does not
// compile stays without a result.
func (c *compiler) compile(ctx context.Context, modules []*module) error {
	c.total = len(modules)
	workers := min(2, runtime.NumCPU(), 1+len(modules)/16)
	var running sync.WaitGroup
	errs := make([]error, workers)
	for i := range workers {
		var share []*module
		for j := i; j < len(modules); j += workers {
			share = append(share, modules[j])
		}
		running.Go(func() { errs[i] = c.work(ctx, share) })
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// work compiles one after the other. A module on which the interpreter dies gets a second chance, because somebody else may have
// killed it, and is left out then.
func (c *compiler) work(ctx context.Context, modules []*module) error {
	var suspect *module
	for crashes := 0; len(modules) > 0; crashes++ {
		n, words, err := c.run(ctx, modules)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil || n == len(modules) { // dead or alive, it has done its work
			return nil
		}
		if strings.Contains(words, "OSError") {
			return driver.Failf(driver.ToolFailed, "compiled modules cannot be written: %s", words)
		}
		if crashes == maxCrashes || n == 0 && !c.runs(ctx) {
			return driver.Failf(driver.SmokeFailed, "the environment's Python does not run (%v): %s", err, words)
		}
		modules = modules[n:]
		os.Remove(modules[0].target) // half of it
		if modules[0] == suspect {
			modules = modules[1:]
			c.done.Add(1)
			continue
		}
		suspect = modules[0]
	}
	return nil
}

// runs says whether the interpreter runs at all.
func (c *compiler) runs(ctx context.Context) bool {
	return c.b.run(c.b.command(ctx, c.python, "-I", "-S", "-B", "-c", "pass")) == nil
}

// run compiles until the process ends and says how many it has got done.
func (c *compiler) run(ctx context.Context, modules []*module) (n int, words string, err error) {
	var in, errout bytes.Buffer
	for _, m := range modules {
		fmt.Fprintf(&in, "%s\t%s\t%s\n", m.source, m.target, m.name)
	}
	// Isolated and without site: no .pth file of a package runs code here.
	cmd := c.b.command(ctx, c.python, "-I", "-S", "-B", "-W", "ignore", "-c", compileProgram)
	cmd.Stdin, cmd.Stderr = &in, &errout
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, "", err
	}
	running, err := c.b.start(cmd)
	if err != nil {
		return 0, "", driver.Failf(driver.SmokeFailed, "the environment's Python does not start: %w", err)
	}
	n = c.listen(out, modules)
	err = running.wait()
	if err == nil && n < len(modules) {
		err = io.ErrUnexpectedEOF
	}
	return n, lastLines(errout.String()), err
}

// listen hears of one module after the other.
func (c *compiler) listen(out io.Reader, modules []*module) (n int) {
	lines := bufio.NewScanner(out)
	for n < len(modules) && lines.Scan() {
		modules[n].ok = lines.Text() == "+"
		n++
		c.b.events.tell(driver.Event{Type: driver.TypeProgress, Phase: driver.Finish, Done: int(c.done.Add(1)), Total: c.total})
	}
	return n
}

// lastLines are the end of what a program wrote, for people.
func lastLines(text string) string {
	const most = 2000
	text = strings.TrimSpace(strings.ToValidUTF8(text, "?"))
	if len(text) > most {
		text = "…" + strings.ToValidUTF8(text[len(text)-most:], "")
	}
	return text
}
