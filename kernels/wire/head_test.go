package wire_test

import (
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/hopyard/hopyard/kernels/wire"
)

func TestHeadReadsWhateverWayAHeaderIsWritten(t *testing.T) {
	t.Parallel()
	for header, want := range map[string][3]string{
		`{}`:                       {},
		" { \"msg_id\" :\n\"a\" }": {"a", "", ""},
		`{"msg_id":"a","msg_type":"status","session":"s","x":{"msg_id":"no","y":["}",{"]":1}]},"z":null}`: {"a", "status", "s"},
		`{"msg_\u0069d":"\u00e9\n\"\\","session":"\ud83d\ude00"}`:                                         {"é\n\"\\", "", "😀"},
		`{"msg_id":1,"msg_type":null,"session":{}}`:                                                       {},
		`{"msg_id":"first","msg_id":"last"}`:                                                              {"last", "", ""},
	} {
		id, kind, session, err := wire.Head([]byte(header))
		if got := [3]string{id, kind, session}; err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", header, got, err, want)
		}
	}
}

func TestHeadRefusesWhatIsNoObject(t *testing.T) {
	t.Parallel()
	for _, header := range []string{
		"", "null", "[]", `"x"`, "{", `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":}`, `{"a":"\`, `{"a":1`, `{"a":1,}`, `{"a":[1}`, `{} x`, `{,}`,
	} {
		if _, _, _, err := wire.Head([]byte(header)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", header, err)
		}
	}
}

func TestIsTypeSeesOnlyTheMessageType(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		`{"msg_type":"status"}`: true, `{"msg_type":"st\u0061tus"}`: true, `{"session":"status","msg_type":"stream"}`: false,
		`{"x":{"msg_type":"status"}}`: false, `{"msg_type":"status2"}`: false, `status`: false, `{"msg_type":5}`: false,
	} {
		if got := wire.IsType([]byte(header), "status"); got != want {
			t.Errorf("%s: %v", header, got)
		}
	}
}

func FuzzHead(f *testing.F) {
	f.Add([]byte(`{"msg_id":"a","msg_type":"status","session":"s","x":[{},1.5e3,"\\"]}`))
	f.Add([]byte(`{"msg_id":"\u00e9\ud83d\ude00","ms\u0067_type":"\"" , "date":null}`))
	f.Add([]byte(`{"a":"\`))
	f.Fuzz(func(t *testing.T, header []byte) {
		id, kind, session, err := wire.Head(header)
		wire.IsType(header, "status")
		var object map[string]any
		if !utf8.Valid(header) || json.Unmarshal(header, &object) != nil || object == nil {
			return
		}
		str := func(key string) string { s, _ := object[key].(string); return s }
		if err != nil || id != str("msg_id") || kind != str("msg_type") || session != str("session") {
			t.Fatalf("%q: got %q %q %q, %v", header, id, kind, session, err)
		}
	})
}
