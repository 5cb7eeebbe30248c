package wire_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/kernels/wire"
)

func sample(buffers ...[]byte) wire.Message {
	return wire.Message{
		Channel:  wire.Shell,
		Header:   []byte(`{"msg_id":"m1","msg_type":"execute_request","session":"s1","username":"","version":"5.4"}`),
		Parent:   []byte(`{}`),
		Metadata: []byte(`{"a": [1, 2]}`),
		Content:  []byte(`{"code":"print(1)\n"}`),
		Buffers:  buffers,
	}
}

// v1Frame builds a frame as @jupyterlab/services does, from the protocol's description.
func v1Frame(parts ...[]byte) []byte {
	n := len(parts) + 1
	at := 8 * (n + 1)
	frame := binary.LittleEndian.AppendUint64(nil, uint64(n))
	frame = binary.LittleEndian.AppendUint64(frame, uint64(at))
	for _, p := range parts {
		at += len(p)
		frame = binary.LittleEndian.AppendUint64(frame, uint64(at))
	}
	return append(frame, bytes.Join(parts, nil)...)
}

func v1Parts(m wire.Message) [][]byte {
	return append([][]byte{[]byte(m.Channel), m.Header, m.Parent, m.Metadata, m.Content}, m.Buffers...)
}

func TestV1ReadsAndWritesWhatClientsSpeak(t *testing.T) {
	t.Parallel()
	for _, m := range []wire.Message{sample(), sample([]byte{0, 255}, []byte{}, []byte("third"))} {
		frame := v1Frame(v1Parts(m)...)
		got, err := wire.ParseV1(frame)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("parsed %+v, %v", got, err)
		}
		out := wire.AppendV1([]byte("before"), m)
		if !bytes.Equal(out, append([]byte("before"), frame...)) {
			t.Fatalf("wrote %q, want %q", out[6:], frame)
		}
		if wire.SizeV1(m) != len(frame) {
			t.Fatalf("size %d, want %d", wire.SizeV1(m), len(frame))
		}
	}
}

func TestParseV1RefusesWhatPointsOutsideTheFrame(t *testing.T) {
	t.Parallel()
	good := v1Frame(v1Parts(sample())...)
	with := func(word int, v uint64) []byte {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint64(b[8*word:], v)
		return b
	}
	many := make([][]byte, 600)
	copy(many, v1Parts(sample()))
	for name, frame := range map[string][]byte{
		"empty": nil, "short": good[:7], "cut table": good[:20], "no offsets": with(0, 0), "few offsets": with(0, 5),
		"huge count": with(0, 1<<61), "count beyond the frame": with(0, 200), "offset inside the table": with(1, 3),
		"descending": with(3, 60), "beyond the end": with(6, uint64(len(good)+1)), "overflow": with(6, 1<<63),
		"cut body": good[:len(good)-1], "too many buffers": v1Frame(many...),
		"unknown channel": v1Frame([]byte("heartbeat"), nil, nil, nil, nil),
	} {
		if m, err := wire.ParseV1(frame); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %+v, %v; want ErrMalformed", name, m, err)
		}
	}
}

func TestDefaultFramingOfAMessageWithoutBuffersIsItsJSON(t *testing.T) {
	t.Parallel()
	m := sample()
	m.Channel, m.Header = wire.IOPub, []byte(`{"msg_id":"é\"x","msg_type":"stream"}`)
	frame, isBinary := wire.AppendDefault(nil, m)
	want := `{"channel":"iopub","msg_id":"é\"x","msg_type":"stream","header":{"msg_id":"é\"x","msg_type":"stream"},` +
		`"parent_header":{},"metadata":{"a": [1, 2]},"content":{"code":"print(1)\n"},"buffers":[]}`
	if isBinary || string(frame) != want {
		t.Fatalf("binary %v\n got %s\nwant %s", isBinary, frame, want)
	}
}

func TestDefaultFramingOfBuffersIsBinaryAndCountsTheJSON(t *testing.T) {
	t.Parallel()
	m := sample([]byte("one"), nil, []byte{0, 1, 2})
	frame, isBinary := wire.AppendDefault(nil, m)
	word := func(i int) int { return int(binary.BigEndian.Uint32(frame[4*i:])) }
	if !isBinary || word(0) != 4 || word(1) != 20 {
		t.Fatalf("binary %v, count %d, first offset %d", isBinary, word(0), word(1))
	}
	if !json.Valid(frame[word(1):word(2)]) || string(frame[word(2):word(3)]) != "one" || !bytes.Equal(frame[word(4):], []byte{0, 1, 2}) {
		t.Fatalf("parts of %q", frame)
	}
	got, err := wire.ParseDefault(frame, true)
	if err != nil || len(got.Buffers) != 3 || string(got.Buffers[0]) != "one" || string(got.Content) != string(m.Content) {
		t.Fatalf("read back %+v, %v", got, err)
	}
}

func TestAppendTextKeepsBrowsersWhenAKernelWritesBytesThatAreNotUTF8(t *testing.T) {
	t.Parallel()
	m := sample([]byte("dropped"))
	m.Content = []byte("{\"x\":\"\xff\"}")
	if got := string(wire.AppendText([]byte("\xfe"), m)); !strings.HasPrefix(got, "\xfe{") || !strings.Contains(got, "{\"x\":\"\ufffd\"}") ||
		!strings.HasSuffix(got, `"buffers":[]}`) {
		t.Fatalf("got %q", got)
	}
}

func TestParseDefaultFillsInWhatClientsLeaveOut(t *testing.T) {
	t.Parallel()
	m, err := wire.ParseDefault([]byte(` {"header": {"msg_id": "x"}, "parent_header": null, "buffers": []} `), false)
	want := wire.Message{
		Channel: wire.Shell, Header: []byte(`{"msg_id": "x"}`), Parent: []byte("{}"), Metadata: []byte("{}"), Content: []byte("{}"),
	}
	if err != nil || !reflect.DeepEqual(m, want) {
		t.Fatalf("got %+v, %v", m, err)
	}
	m, err = wire.ParseDefault([]byte(`{"channel":"control","header":{},"content":{"a":1}}`), false)
	if err != nil || m.Channel != wire.Control || string(m.Content) != `{"a":1}` {
		t.Fatalf("got %+v, %v", m, err)
	}
}

func TestParseDefaultRefusesWhatIsNoMessage(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "null", "[]", "{}", `{"header":null}`, `{"header":"x"}`, `{"header":{}`, `{"header":{},"channel":"x"}`,
		`{"header":{},"channel":1}`, `{"header":{}} {}`,
	} {
		if m, err := wire.ParseDefault([]byte(text), false); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %+v, %v; want ErrMalformed", text, m, err)
		}
	}
	for _, frame := range []string{
		"", "\x00\x00\x00", "\x00\x00\x00\x00{}", "\x00\x00\x00\x01", "\x00\x00\x00\x01\x00\x00\x00\x04{\"header\":{}}",
		"\x00\x00\x00\x01\x00\x00\xff\xff{\"header\":{}}", "\xff\xff\xff\xff{\"header\":{}}",
		"\x00\x00\x00\x02\x00\x00\x00\x0e\x00\x00\x00\x0d{\"header\":{}}",
	} {
		if m, err := wire.ParseDefault([]byte(frame), true); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%q: %+v, %v; want ErrMalformed", frame, m, err)
		}
	}
}

func TestFramesAreSignedAsJupyterSigns(t *testing.T) {
	t.Parallel()
	m := sample([]byte("buffer"))
	mac := hmac.New(sha256.New, []byte("key"))
	mac.Write(bytes.Join([][]byte{m.Header, m.Parent, m.Metadata, m.Content}, nil))
	signature := hex.EncodeToString(mac.Sum(nil))

	s := wire.NewSigner([]byte("key"))
	for range 2 { // a signer is reused
		got := s.AppendFrames([][]byte{[]byte("identity")}, m)
		want := []string{
			"identity", "<IDS|MSG>", signature, string(m.Header), string(m.Parent), string(m.Metadata), string(m.Content), "buffer",
		}
		for i, w := range want {
			if len(got) != len(want) || string(got[i]) != w {
				t.Fatalf("frames %q", got)
			}
		}
		back, err := s.FromFrames(got, wire.Shell)
		if err != nil || !reflect.DeepEqual(back, m) {
			t.Fatalf("read back %+v, %v", back, err)
		}
	}
}

func TestFromFramesRefusesForgedAndBrokenMessages(t *testing.T) {
	t.Parallel()
	s := wire.NewSigner([]byte("key"))
	frames := func() [][]byte { return s.AppendFrames([][]byte{[]byte("topic")}, sample()) }
	forged := frames()
	forged[6] = []byte(`{"code":"evil()"}`)
	moved := frames()
	moved[5], moved[6] = nil, append(moved[5], moved[6]...)
	unsigned := frames()
	unsigned[2] = nil
	for name, test := range map[string]struct {
		frames [][]byte
		want   error
	}{
		"other content": {forged, wire.ErrSignature}, "no signature": {unsigned, wire.ErrSignature},
		"other key":    {wire.NewSigner([]byte("other")).AppendFrames(nil, sample()), wire.ErrSignature},
		"no frames":    {nil, wire.ErrMalformed},
		"no delimiter": {frames()[2:], wire.ErrMalformed},
		"cut":          {frames()[:6], wire.ErrMalformed},
	} {
		if _, err := s.FromFrames(test.frames, wire.Shell); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	// The protocol signs the parts joined, so moving bytes from one part to the next cannot be seen. Known, and why
	// nobody may trust a part for more than its own key allows.
	if _, err := s.FromFrames(moved, wire.Shell); err != nil {
		t.Errorf("moved: %v", err)
	}
}

func TestAnEmptyKeyNeitherSignsNorChecks(t *testing.T) {
	t.Parallel()
	s := wire.NewSigner(nil)
	frames := s.AppendFrames(nil, sample())
	if len(frames[1]) != 0 {
		t.Fatalf("signature %q", frames[1])
	}
	frames[1] = []byte("anything")
	if _, err := s.FromFrames(frames, wire.Shell); err != nil {
		t.Fatal(err)
	}
}

func TestMissingPartsAreWrittenAsEmptyObjects(t *testing.T) {
	t.Parallel()
	m := wire.Message{Channel: wire.Control, Header: []byte(`{"msg_id":"1"}`)}
	back, err := wire.ParseV1(wire.AppendV1(nil, m))
	if err != nil || string(back.Parent) != "{}" || string(back.Content) != "{}" {
		t.Fatalf("%+v, %v", back, err)
	}
	if frames := wire.NewSigner(nil).AppendFrames(nil, m); string(frames[5]) != "{}" {
		t.Fatalf("frames %q", frames)
	}
}

func TestNewHeaderIsReadByHead(t *testing.T) {
	t.Parallel()
	h := wire.NewHeader("id\n1", "execute_request", `se"ss`, "ann", time.Unix(0, 0))
	id, kind, session, err := wire.Head(h)
	if err != nil || id != "id\n1" || kind != "execute_request" || session != `se"ss` {
		t.Fatalf("%q %q %q %v from %s", id, kind, session, err, h)
	}
	if !bytes.Contains(h, []byte(`"date":"1970-01-01T00:00:00.000000Z"`)) {
		t.Fatalf("header %s", h)
	}
}
