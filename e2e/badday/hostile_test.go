//go:build e2e

package badday_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestRevokedTokenLosesItsWebsockets(t *testing.T) {
	t.Parallel()
	g := start(t)
	kernel := g.startKernel("test")
	var made struct{ ID, Token string }
	if status := g.ask("POST", "/api/v1/tokens", map[string]string{"project": "demo"}, &made); status != http.StatusCreated {
		t.Fatalf("a token: %d", status)
	}
	keeps, loses := g.open(t, kernel), &tab{t: t, g: g, kernel: kernel, session: "revoked"}
	if err := loses.connect(made.Token); err != nil {
		t.Fatal(err)
	}
	defer loses.ws.Close()
	if got := loses.result("hello"); got != "hello" {
		t.Fatalf("with the token: %q", got)
	}
	g.ask("DELETE", "/api/v1/tokens/"+made.ID, nil, nil)
	before := time.Now()
	_, err := loses.read()
	for err == nil {
		_, err = loses.read()
	}
	t.Logf("the websocket was closed after %v", time.Since(before)) // a machine with much to do takes its time
	if !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
		t.Errorf("it was closed with %v, want 1008", err)
	}
	if err := loses.connect(made.Token); err == nil {
		t.Error("the token still opens websockets")
	}
	if got := keeps.result("still here"); got != "still here" {
		t.Errorf("another's websocket: %q", got)
	}
}

func TestKernelThatDiesAtStartSaysWhy(t *testing.T) {
	t.Parallel()
	g := start(t)
	var answer struct{ Message, Reason string }
	body := map[string]any{"path": "a.ipynb", "name": "a.ipynb", "type": "notebook", "kernel": map[string]string{"name": "dead"}}
	status := g.ask("POST", jupyter+"/api/sessions", body, &answer)
	if status < 500 {
		t.Errorf("status = %d, want an error", status)
	}
	if want := "libsomething.so: cannot open shared object file"; !strings.Contains(answer.Message, want) {
		t.Errorf("the message is %q, want what the kernel wrote to its standard error: %q", answer.Message, want)
	}
	eventually(t, "no kernel is left", func() bool { return len(g.kernels()) == 0 })
}

func TestFrameOf8GBHurtsItsOwnKernelOnly(t *testing.T) {
	t.Parallel()
	g := start(t)
	hostile, peaceful := g.open(t, g.startKernel("test")), g.open(t, g.startKernel("test"))
	agent := parent(t, hostile.pid())
	hostile.execute("huge " + strconv.Itoa(8<<30))
	if got := peaceful.result("peace"); got != "peace" {
		t.Errorf("the other kernel: %q", got)
	}
	for range 20 {
		if rss := residentKB(agent); rss > 200<<10 {
			t.Fatalf("the agent has taken %d kB", rss)
		}
		time.Sleep(50 * time.Millisecond) // it would grow now
	}
	if got := peaceful.result("still peace"); got != "still peace" {
		t.Errorf("the other kernel: %q", got)
	}
}

// residentKB is a process's memory, 0 if it is gone.
func residentKB(pid int) int {
	status, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			kb, _ := strconv.Atoi(f[1])
			return kb
		}
	}
	return 0
}

func TestTwoTabsSeeOneKernel(t *testing.T) {
	t.Parallel()
	g := start(t)
	kernel := g.startKernel("test")
	one, two := g.open(t, kernel), g.open(t, kernel)
	two.result("here") // who has an answer hears all that comes behind it
	id := one.execute("input name?")
	asked := one.next("the question", func(m message) bool { return m.Header.Type == "input_request" })
	if asked.Content.Prompt != "name?" {
		t.Errorf("prompt = %q", asked.Content.Prompt)
	}
	one.send("input_reply", "stdin", map[string]any{"status": "ok", "value": "ada"}, map[string]any{"msg_id": asked.Header.ID})
	for name, b := range map[string]*tab{"the one": one, "the other": two} {
		var text string
		b.next(name+"'s end of the cell", func(m message) bool {
			if b == two && m.Header.Type == "input_request" {
				t.Error("the other tab was asked too")
			}
			text += m.Content.Text
			return m.Parent.ID == id && m.Header.Type == "status" && m.Content.State == "idle"
		})
		if !strings.Contains(text, "ada") {
			t.Errorf("%s sees %q", name, text)
		}
	}
}

func TestClientThatNeverReadsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	g := start(t)
	kernel := g.startKernel("test")
	deaf := g.open(t, kernel)
	const lines = 100_000
	id := deaf.execute(fmt.Sprintf("flood %d 200", lines))
	listening := g.open(t, kernel)
	if got := listening.result("through"); got != "through" { // which the kernel says when the flood is over
		t.Errorf("the other client: %q", got)
	}
	next, over := 0, false
	for !over { // now it reads: nothing was thrown away
		m, err := deaf.read()
		if err != nil { // who takes nothing for a minute is cut, and goes on where it was
			deaf.comeBack()
			continue
		}
		if m.Parent.ID == id && m.Header.Type == "stream" {
			if got := strings.TrimSpace(m.Content.Text); got != strconv.Itoa(next) {
				t.Fatalf("line %d is %q", next, got)
			}
			next++
		}
		over = m.Parent.ID == id && m.Header.Type == "status" && m.Content.State == "idle"
	}
	if next != lines {
		t.Errorf("%d lines, want %d", next, lines)
	}
}
