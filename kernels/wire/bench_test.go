package wire_test

import (
	"bytes"
	"testing"

	"github.com/hopyard/hopyard/kernels/wire"
)

// line is what a kernel says for one small line of output.
func line() wire.Message {
	header := []byte(`{"msg_id": "0b1f7a55-4a4ac5db2ab0b1f2_12_34", "msg_type": "stream", "username": "demo__ann", ` +
		`"session": "0b1f7a55-4a4ac5db2ab0b1f2", "date": "2026-11-22T10:00:00.000000Z", "version": "5.4"}`)
	return wire.Message{
		Channel: wire.IOPub, Header: header, Parent: bytes.Clone(header), Metadata: []byte("{}"),
		Content: []byte(`{"name": "stdout", "text": "12345\n"}`),
	}
}

func BenchmarkFromFrames(b *testing.B) {
	s := wire.NewSigner([]byte("8f0c5a5e-2d0b3a9c"))
	frames := s.AppendFrames([][]byte{[]byte("stream")}, line())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.FromFrames(frames, wire.IOPub); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendFrames(b *testing.B) {
	s, m := wire.NewSigner([]byte("8f0c5a5e-2d0b3a9c")), line()
	dst := make([][]byte, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		s.AppendFrames(dst[:0], m)
	}
}

func BenchmarkAppendV1(b *testing.B) {
	m := line()
	dst := make([]byte, 0, wire.SizeV1(m))
	b.ReportAllocs()
	for b.Loop() {
		wire.AppendV1(dst[:0], m)
	}
}

func BenchmarkParseV1(b *testing.B) {
	frame := wire.AppendV1(nil, line())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.ParseV1(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendText(b *testing.B) {
	m := line()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = wire.AppendText(dst[:0], m)
	}
}

func BenchmarkParseDefault(b *testing.B) {
	frame := wire.AppendText(nil, line())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.ParseDefault(frame, false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHead(b *testing.B) {
	m := line()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := wire.Head(m.Header); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIsType(b *testing.B) {
	m := line()
	b.ReportAllocs()
	for b.Loop() {
		wire.IsType(m.Header, "status")
	}
}
