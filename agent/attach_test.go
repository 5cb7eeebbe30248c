package agent_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/agent/journal"
	"github.com/hopyard/hopyard/internal/local"
	"github.com/hopyard/hopyard/internal/local/localtest"
	"github.com/hopyard/hopyard/plugins/scheduling"
)

// hello is the frame that opens a watch.
var hello = frame(1, `{"version":1,"watch":true}`)

func frame(typ byte, payload string) string {
	return string(binary.LittleEndian.AppendUint32(nil, uint32(len(payload)+1))) + string(typ) + payload
}

func TestAgentOutlivesWhateverComesToItsSocket(t *testing.T) {
	t.Parallel()
	p := launch(t, forever)
	for name, text := range map[string]string{
		"nothing":              "",
		"not the protocol":     "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"half a head":          "\x05\x00",
		"a length of zero":     "\x00\x00\x00\x00\x01",
		"a length of 4 GB":     "\xff\xff\xff\xff\x01{}",
		"no JSON":              frame(1, "hello"),
		"half a hello":         hello[:len(hello)-3],
		"a hello and more":     hello + hello,
		"a client, no board":   frame(1, `{"version":1,"client":"x"}`),
		"another frame first":  frame(2, "input"),
		"a key that is long":   frame(1, `{"version":1,"client":"`+strings.Repeat("x", 256)+`"}`),
		"a hello that is long": frame(1, `{"client":"`+strings.Repeat("x", 8000)+`"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if answer := raw(t, p, text); len(answer) > 0 {
				t.Errorf("answer = %q, want none", answer)
			}
		})
	}
	for name, text := range map[string]string{
		"an unknown frame":            frame(99, ""),
		"delivered of 3 bytes":        frame(3, "abc"),
		"a call without id":           frame(4, "ab"),
		"a call that is no JSON":      frame(4, "abcd{"),
		"a frame of 4 GB":             "\xff\xff\xff\xff\x02",
		"a frame that never ends":     "\xff\xff\xff\x00\x02abc",
		"an answer instead of a call": frame(8, "{}"),
	} {
		t.Run(name+" behind a hello", func(t *testing.T) {
			t.Parallel()
			if answer := raw(t, p, hello, text); !bytes.Contains(answer, []byte(`"version":1`)) {
				t.Errorf("answer = %q, want a welcome", answer)
			}
		})
	}
	t.Cleanup(func() { // after all of them
		if s := p.inspect(); s.Phase != scheduling.PhaseRunning {
			t.Errorf("the agent has ended: %+v", s)
		}
	})
}

// raw writes to the agent's socket and reads until the agent ends the connection.
func raw(t *testing.T, p *program, texts ...string) []byte {
	t.Helper()
	c, err := net.Dial("unix", p.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	var answer []byte
	for i, text := range texts {
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if i < len(texts)-1 { // let it be read alone
			buf := make([]byte, 4096)
			n, err := c.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			answer = append(answer, buf[:n]...)
		}
	}
	_ = c.(*net.UnixConn).CloseWrite()
	for {
		buf := make([]byte, 4096)
		n, err := c.Read(buf)
		answer = append(answer, buf[:n]...)
		if os.IsTimeout(err) {
			t.Fatal("the agent keeps the connection")
		}
		if err != nil {
			return answer
		}
	}
}

func TestUnknownMethodIsAnErrorOfTheCallAlone(t *testing.T) {
	t.Parallel()
	p := launch(t, forever)
	c, err := net.Dial("unix", p.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	buf := make([]byte, 4096)
	_, err = c.Write([]byte(hello))
	if err == nil {
		_, err = c.Read(buf) // a hello comes alone
	}
	if err == nil {
		_, err = c.Write([]byte(frame(4, `abcd{"method":"dance"}`) + frame(4, `efgh{"method":"interrupt","params":[]}`)))
	}
	if err != nil {
		t.Fatal(err)
	}
	var answer []byte
	for !bytes.Contains(answer, []byte(`method \"dance\" is unknown`)) || !bytes.Contains(answer, []byte("parameters:")) {
		n, err := c.Read(buf)
		if answer = append(answer, buf[:n]...); err != nil {
			t.Fatalf("answer = %q, %v, want that the method is unknown and the parameters wrong", answer, err)
		}
	}
}

func TestClientBeginsWhereItAsks(t *testing.T) {
	t.Parallel()
	p := launch(t, forever)
	say(t, p.attach(agent.Hello{Client: "talker"}), "all one", "all two", "all three")
	read(t, p.attach(agent.Hello{Client: "reader", From: 1}), 3) // all three are there
	end := p.attach(agent.Hello{Client: "end"})
	say(t, end, "all four")
	if got := read(t, end, 1); got[0] != "4 four" {
		t.Errorf("at the end: %q, want 4 four", got)
	}
	for _, c := range []struct {
		name  string
		hello agent.Hello
		want  []string
	}{
		{"at a record", agent.Hello{Client: "from", From: 2}, []string{"2 two", "3 three", "4 four"}},
		{"that many before the end", agent.Hello{Client: "last", Last: 2}, []string{"3 three", "4 four"}},
		{"more before the end than there are", agent.Hello{Client: "all", Last: 100}, []string{"1 one", "2 two", "3 three", "4 four"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := read(t, p.attach(c.hello), len(c.want)); !slices.Equal(got, c.want) {
				t.Errorf("records = %q, want %q", got, c.want)
			}
		})
	}
}

// bodies leaves the sequence numbers out.
func bodies(records []string) (out []string) {
	for _, r := range records {
		_, body, _ := strings.Cut(r, " ")
		out = append(out, body)
	}
	return out
}

func TestClientGoesOnBehindWhatItHasGot(t *testing.T) {
	t.Parallel()
	p := launch(t, forever)
	c := p.attach(agent.Hello{Client: "tab"})
	say(t, c, "many 10")
	read(t, c, 10)
	if err := c.Delivered(4); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	c = p.attach(agent.Hello{Client: "tab", From: 9, Last: 1}) // what it says now does not count
	if !c.Welcome.Resumed || c.Welcome.Next != 5 {
		t.Errorf("welcome = %+v, want resumed at 5", c.Welcome)
	}
	if got := read(t, c, 6); got[0] != "5 4" || got[5] != "10 9" {
		t.Errorf("records = %q, want 5 to 10", got)
	}
}

func TestClientWithoutALastWordGetsTheLastWriteAgain(t *testing.T) {
	t.Parallel()
	p := launch(t, forever)
	c := p.attach(agent.Hello{Client: "tab"})
	say(t, c, "many 10")
	read(t, c, 10)
	c.Sending([]agent.Mark{{Seq: 3, End: 100}, {Seq: 5, End: 200}})
	c.Sending([]agent.Mark{{Seq: 6, End: 300}, {Seq: 8, End: 400}})
	_ = c.Close()
	if c = p.attach(agent.Hello{Client: "tab"}); c.Welcome.Next != 6 {
		t.Errorf("next = %d, want 6: nobody knows whether more was written", c.Welcome.Next)
	}
}

func TestSecondAttachmentOfAClientEndsTheFirst(t *testing.T) {
	t.Parallel()
	p := launch(t, forever)
	first := p.attach(agent.Hello{Client: "tab"})
	say(t, first, "all one")
	read(t, first, 1)
	first.Sending([]agent.Mark{{Seq: 1, End: 10}})
	first.Sending([]agent.Mark{{Seq: 2, End: 20}})
	second := p.attach(agent.Hello{Client: "tab"})
	if !second.Welcome.Resumed || second.Welcome.Next != 2 {
		t.Errorf("welcome = %+v, want resumed at 2", second.Welcome)
	}
	if _, _, err := first.Next(noBuffer); err == nil {
		t.Error("the first attachment goes on")
	}
	say(t, second, "me two")
	if got := read(t, second, 1); got[0] != "2 two" {
		t.Errorf("record = %q, want 2 two", got)
	}
}

func TestManyAttachmentsOfOneClientAtOnceLeaveOne(t *testing.T) {
	t.Parallel()
	p := launch(t, forever)
	conns := make(chan *agent.Conn)
	const n = 20
	for range n {
		go func() {
			c, err := agent.Dial(t.Context(), p.socket, agent.Hello{Client: "tab", From: 1}, nil)
			if err != nil { // replaced before it was welcome
				c = nil
			}
			conns <- c
		}()
	}
	alive := 0
	for range n {
		if c := <-conns; c != nil {
			defer c.Close()
			alive++
		}
	}
	if alive == 0 {
		t.Fatal("nobody was let in")
	}
	last := p.attach(agent.Hello{Client: "tab"})
	say(t, last, "all done")
	if got := read(t, last, 1); got[0] != "1 done" {
		t.Errorf("record = %q, want 1 done", got)
	}
	w, states := p.watch()
	defer w.Close()
	until(t, states, "one connection", func(s agent.State) bool { return s.Connections == 1 })
}

func TestRecordsForOneClientReachNobodyElse(t *testing.T) {
	t.Parallel()
	p := launch(t, forever)
	a, b := p.attach(agent.Hello{Client: "a"}), p.attach(agent.Hello{Client: "b"})
	say(t, a, "me secret", "all open")
	read(t, a, 2)
	if got := read(t, b, 1); got[0] != "2 open" {
		t.Errorf("b got %q, want only what is for all", got)
	}
}

func TestRecordForAnImpossibleNameIsLeftOut(t *testing.T) {
	t.Parallel()
	p := launch(t, forever)
	c := p.attach(agent.Hello{Client: "a"})
	say(t, c, "to "+strings.Repeat("x", 300), "all after")
	if got := read(t, c, 2); !slices.Equal(bodies(got), []string{"sent", "after"}) {
		t.Errorf("records = %q, want sent and after, whole", got)
	}
}

func TestRefusedInputDoesNotEndTheAttachment(t *testing.T) {
	t.Parallel()
	p := launch(t, forever)
	c := p.attach(agent.Hello{Client: "a"})
	say(t, c, "nonsense", "all after")
	if got := read(t, c, 1); got[0] != "1 after" {
		t.Errorf("record = %q, want after", got)
	}
}

func TestReaderOfWhatWasCutGetsTheNoticeOfTheBridge(t *testing.T) {
	t.Parallel()
	config := localtest.Config(t, localtest.RunDir(t))
	config.Journal = journal.Options{SegmentBytes: 4096, MaxBytes: 8192, MemoryBytes: 4096}
	d, err := local.New(config)
	if err != nil {
		t.Fatal(err)
	}
	h, err := d.Launch(t.Context(), scheduling.Workload{ID: "w", Kind: "plain", Argv: []string{"/bin/sleep", "1000"}, Dir: "/"})
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, driver: d, handle: h}
	t.Cleanup(func() { p.stop(0) })
	p.socket = strings.TrimPrefix(p.inspect().Address, "unix:")
	talker := p.attach(agent.Hello{Client: "talker"})
	say(t, talker, "many 5000", "me end")
	eventuallyRead(t, talker, "end")
	got := read(t, p.attach(agent.Hello{Client: "late", From: 1}), 2)
	var from, to, next int
	if _, err := fmt.Sscanf(got[0]+" "+got[1], "cut %d to %d %d", &from, &to, &next); err != nil || from != 1 || next != to+1 {
		t.Errorf("got %q and %q, want a notice and the record behind it", got[0], got[1])
	}
}

// eventuallyRead reads until a record with that body.
func eventuallyRead(t *testing.T, c *agent.Conn, body string) {
	t.Helper()
	for {
		for _, r := range read(t, c, 1) {
			if strings.HasSuffix(r, " "+body) {
				return
			}
		}
	}
}

func TestClientsThatComeAndGoLeaveNothingInTheAgent(t *testing.T) {
	t.Parallel()
	p := launch(t, forever)
	comeAndGo := func() {
		for i := range 50 {
			c := p.attach(agent.Hello{Client: fmt.Sprint("tab", i%7)})
			say(t, c, "all x")
			read(t, c, 1)
			_ = c.Close()
			w := p.attach(agent.Hello{Watch: true})
			_ = w.Close()
			raw(t, p, "garbage")
		}
		w, states := p.watch()
		until(t, states, "nobody", func(s agent.State) bool { return s.Connections == 0 })
		_ = w.Close()
	}
	comeAndGo()
	before := open(t, p.agentPID())
	comeAndGo()
	eventually(t, fmt.Sprintf("no more than %d files and maps are open in the agent", before), func() bool { return open(t, p.agentPID()) <= before })
}

// open counts the files and shared pages that a process has.
func open(t *testing.T, pid int) int {
	t.Helper()
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(fds) + bytes.Count(maps, []byte("hopyard-board"))
}
