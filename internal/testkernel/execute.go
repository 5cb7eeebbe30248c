package testkernel

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// failure is an exception of a cell.
type failure struct{ name, value string }

func (f failure) Error() string { return f.name + ": " + f.value }

var errInterrupted = failure{"KeyboardInterrupt", ""}

func (c *call) execute() {
	var cell struct {
		Code       string `json:"code"`
		Silent     bool   `json:"silent"`
		AllowStdin bool   `json:"allow_stdin"`
	}
	if err := json.Unmarshal(c.content, &cell); err != nil {
		c.fail(failure{"ValueError", err.Error()})
		return
	}
	// What interrupted an earlier cell is gone before anybody hears of this one: a later one is meant for it.
	select {
	case <-c.interrupts:
	default:
	}
	if !cell.Silent {
		c.cells++
		c.publish("execute_input", object{"code": cell.Code, "execution_count": c.cells})
	}
	result, err := c.run(strings.TrimSpace(cell.Code), cell.AllowStdin)
	if err != nil {
		c.fail(err)
		return
	}
	if result != "" && !cell.Silent {
		c.publish("execute_result", object{"execution_count": c.cells, "data": object{"text/plain": result}, "metadata": object{}})
	}
	c.reply("execute_reply", object{"status": "ok", "execution_count": c.cells, "payload": []any{}, "user_expressions": object{}})
}

func (c *call) fail(err error) {
	var f failure
	if !errors.As(err, &f) {
		f = failure{"ValueError", err.Error()}
	}
	what := object{"ename": f.name, "evalue": f.value, "traceback": []string{f.Error()}}
	c.publish("error", what)
	what["status"], what["execution_count"] = "error", c.cells
	c.reply("execute_reply", what)
}

// run does what a cell says and returns its result, if it has one:
//
//	flood N [BYTES]  N stream messages 0, 1, … as fast as they are read, each padded with spaces to BYTES
//	tick N MS        N stream messages 0, 1, …, one every MS milliseconds
//	sleep MS         wait; an interrupt ends it, as it ends flood, tick and input
//	echo TEXT        a line on stdout
//	stderr TEXT      a line on stderr, as a stream message
//	input PROMPT     ask the client for input and echo it
//	display BYTES    display data of that size
//	buffer BYTES     display data with a binary buffer of that size
//	error TEXT       raise an exception
//	env NAME         the value of an environment variable
//	pid              the number of the kernel's process
//	hang             run for ever; interrupts, shutdown requests and SIGTERM have no effect
//	die CODE [TEXT]  write TEXT to the process's stderr and exit, without a reply
//	huge SIZE        announce an iopub frame of SIZE bytes, which never come
//	garbage          write to iopub what is not ZeroMQ
//
// Anything else is its own result.
func (c *call) run(code string, allowStdin bool) (string, error) {
	verb, rest, _ := strings.Cut(code, " ")
	switch verb {
	case "flood":
		return "", c.flood(numbers(rest))
	case "tick":
		return "", c.tick(numbers(rest))
	case "sleep":
		return "", c.sleep(numbers(rest)[0])
	case "echo":
		c.stream("stdout", rest+"\n")
		return "", nil
	case "stderr":
		c.stream("stderr", rest+"\n")
		return "", nil
	case "input":
		return "", c.input(rest, allowStdin)
	case "display", "buffer":
		c.display(verb, numbers(rest)[0])
		return "", nil
	case "error":
		return "", failure{"RuntimeError", rest}
	case "env":
		return os.Getenv(rest), nil
	case "pid":
		return strconv.Itoa(os.Getpid()), nil
	case "hang":
		signal.Ignore(syscall.SIGTERM)
		c.hung.Store(true)
		select {}
	case "die":
		number, text, _ := strings.Cut(rest, " ")
		fmt.Fprintln(c.stderr, text)
		c.end(numbers(number)[0])
	case "huge":
		c.iopub.publish("", binary.BigEndian.AppendUint64([]byte{flagLong}, hugeSize(rest)))
		return "", nil
	case "garbage":
		c.iopub.publish("", bytes.Repeat([]byte("garbage!"), 100))
		return "", nil
	}
	return code, nil
}

// numbers reads up to two numbers; what is missing is 0.
func numbers(text string) (n [2]int) {
	for i, field := range strings.Fields(text) {
		if i < len(n) {
			n[i], _ = strconv.Atoi(field)
		}
	}
	return n
}

func hugeSize(text string) uint64 {
	n, _ := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	return n
}

func (c *call) stream(name, text string) {
	c.stamp()
	c.publish("stream", object{"name": name, "text": text})
}

// flood writes n[0] messages in batches. It allocates nothing on the way: the messages differ in a number only.
func (c *call) flood(n [2]int) error {
	const (
		batch = 64 << 10
		head  = `{"name":"stdout","text":"`
	)
	topic := [][]byte{[]byte("stream")}
	padding := bytes.Repeat([]byte(" "), max(0, n[1]))
	framed := make([]byte, 0, batch+n[1]+1024)
	var content []byte
	for i := range n[0] {
		content = strconv.AppendInt(append(content[:0], head...), int64(i), 10)
		text := len(content) - len(head) + 1 // with its line end
		content = append(append(content, padding[min(text, len(padding)):]...), `\n"}`...)
		framed = c.append(framed, topic, "stream", c.parent, content)
		if len(framed) < batch && i < n[0]-1 {
			continue
		}
		c.iopub.publish("stream", framed)
		framed = framed[:0]
		if c.sleep(0) != nil {
			return errInterrupted
		}
	}
	return nil
}

func (c *call) tick(n [2]int) error {
	for i := range n[0] {
		c.stream("stdout", strconv.Itoa(i)+"\n")
		if err := c.sleep(n[1]); err != nil {
			return err
		}
	}
	return nil
}

// sleep waits, or returns errInterrupted. After 0 ms it only looks.
func (c *call) sleep(ms int) error {
	if ms <= 0 {
		select {
		case <-c.interrupts:
			return errInterrupted
		default:
			return nil
		}
	}
	select {
	case <-c.interrupts:
		return errInterrupted
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return nil
	}
}

func (c *call) display(verb string, size int) {
	if verb == "buffer" {
		c.publish("display_data", object{"data": object{"text/plain": "a buffer"}, "metadata": object{}}, bytes.Repeat([]byte{0xfe}, size))
		return
	}
	c.publish("display_data", object{"data": object{"text/plain": strings.Repeat("x", size)}, "metadata": object{}})
}

// input asks whoever sent the cell, on its stdin channel, and waits for the reply.
func (c *call) input(prompt string, allowed bool) error {
	if !allowed {
		return failure{"StdinNotImplementedError", "the client does not take input requests"}
	}
	c.stdin.send(c.identity, c.append(nil, c.route, "input_request", c.parent, encode(object{"prompt": prompt, "password": false})))
	for {
		select {
		case <-c.interrupts:
			return errInterrupted
		case in := <-c.stdin.inbox:
			req, err := c.read(in)
			var reply struct {
				Value string `json:"value"`
			}
			if err != nil || req.kind != "input_reply" || json.Unmarshal(req.content, &reply) != nil {
				continue
			}
			c.stream("stdout", reply.Value+"\n")
			return nil
		}
	}
}
