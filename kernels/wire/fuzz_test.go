package wire_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/hopyard/hopyard/kernels/wire"
)

func FuzzParseV1(f *testing.F) {
	f.Add(v1Frame(v1Parts(sample())...))
	f.Add(v1Frame(v1Parts(sample([]byte("buffer"), nil))...))
	f.Add(v1Frame([]byte("iopub"), nil, nil, nil, nil))
	f.Add([]byte{6, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wire.ParseV1(b)
		if err != nil {
			return
		}
		again, err := wire.ParseV1(wire.AppendV1(nil, m))
		if err != nil || string(again.Content) != string(orObject(m.Content)) || len(again.Buffers) != len(m.Buffers) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}

func orObject(part []byte) []byte {
	if len(part) == 0 {
		return []byte("{}")
	}
	return part
}

func FuzzParseDefault(f *testing.F) {
	text, _ := wire.AppendDefault(nil, sample())
	binary, _ := wire.AppendDefault(nil, sample([]byte("buffer"), nil))
	f.Add(text, false)
	f.Add(binary, true)
	f.Add([]byte(`{"header":{},"channel":null,"content":[]}`), false)
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x08{\"header\":{}}"), true)
	f.Fuzz(func(t *testing.T, b []byte, isBinary bool) {
		m, err := wire.ParseDefault(b, isBinary)
		if err != nil {
			return
		}
		frame, nowBinary := wire.AppendDefault(nil, m)
		again, err := wire.ParseDefault(frame, nowBinary)
		if err != nil || again.Channel != m.Channel || len(again.Buffers) != len(m.Buffers) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
		if text := wire.AppendText(nil, m); !json.Valid(text) {
			t.Fatalf("%+v became %q", m, text)
		}
	})
}

func FuzzFromFrames(f *testing.F) {
	for _, m := range []wire.Message{sample(), sample([]byte("buffer"), nil)} {
		f.Add(bytes.Join(wire.NewSigner([]byte("key")).AppendFrames([][]byte{[]byte("topic")}, m), []byte{0}), byte(0))
	}
	f.Add([]byte("<IDS|MSG>\x00\x00{}\x00{}\x00{}"), byte(0))
	f.Fuzz(func(t *testing.T, b []byte, separator byte) {
		frames := bytes.Split(b, []byte{separator})
		signed, plain := wire.NewSigner([]byte("key")), wire.NewSigner(nil)
		m, err := plain.FromFrames(frames, wire.IOPub)
		if err != nil {
			return
		}
		again, err := signed.FromFrames(signed.AppendFrames(nil, m), wire.IOPub)
		if err != nil || !reflect.DeepEqual(again.Buffers, m.Buffers) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}
