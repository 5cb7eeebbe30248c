package zmq_test

import (
	"bufio"
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"testing"

	"github.com/hopyard/hopyard/kernels/zmq"
)

// libzmqPeer echoes on a ROUTER and publishes each message that it got on a PUB, with the identity as topic.
const libzmqPeer = `
import sys, zmq
c = zmq.Context()
router, pub = c.socket(zmq.ROUTER), c.socket(zmq.XPUB)
router.bind("ipc://" + sys.argv[1]); pub.bind("ipc://" + sys.argv[2])
print("bound", flush=True)
pub.recv()
while True:
    m = router.recv_multipart()
    router.send_multipart(m)
    pub.send_multipart(m)
`

// python is an interpreter that has pyzmq: HOPYARD_TEST_PYTHON, or else python3.
func python(t *testing.T) string {
	py := cmp.Or(os.Getenv("HOPYARD_TEST_PYTHON"), "python3")
	if err := exec.Command(py, "-c", "import zmq").Run(); err != nil {
		t.Skipf("%s has no pyzmq: set HOPYARD_TEST_PYTHON", py)
	}
	return py
}

func TestDealerAndSubTalkToLibzmq(t *testing.T) {
	t.Parallel()
	shell, iopub := socketPath(t), socketPath(t)
	cmd := exec.Command(python(t), "-c", libzmqPeer, shell, iopub)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	bufio.NewReader(out).ReadString('\n')

	sub := dial(t, zmq.Config{Network: "unix", Addr: iopub, Type: zmq.Sub})
	dealer := dial(t, zmq.Config{Network: "unix", Addr: shell, Type: zmq.Dealer, Identity: "hopyard-1"})
	for _, size := range []int{0, 1, 255, 256, 5000, 3 << 20} {
		body := bytes.Repeat([]byte("x"), size)
		if err := dealer.Send([][]byte{[]byte("head"), body, nil}); err != nil {
			t.Fatal(err)
		}
		expect(t, dealer, "head", string(body), "")
		expect(t, sub, "hopyard-1", "head", string(body), "")
	}
}

func expect(t *testing.T, ch *zmq.Channel, want ...string) {
	t.Helper()
	got, err := ch.Recv()
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d frames, %v; want %d", len(got), err, len(want))
	}
	for i := range want {
		if string(got[i]) != want[i] {
			t.Fatalf("frame %d has %d bytes, want %d", i, len(got[i]), len(want[i]))
		}
	}
}
