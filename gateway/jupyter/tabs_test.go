package jupyter_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/hopyard/hopyard/kernels/wire"
)

func TestClientThatConnectsAgainEndsItsOldWebsocketByItsFirstMessage(t *testing.T) {
	t.Parallel()
	w := setup(t)
	path := "/api/kernels/" + w.kernel() + "/channels?session_id=s"
	first := w.socket(path, wire.V1Protocol)
	run(t, first, "echo x")
	second := w.socket(path, wire.V1Protocol)
	if got := run(t, second, "echo y"); got != "y\n" {
		t.Errorf("the second websocket got %q", got)
	}
	if code := closed(t, first); code != websocket.CloseNormalClosure {
		t.Errorf("close code = %d, want 1000: it must not come back", code)
	}
}

// TestForgottenTwinDoesNotTakeTheSession is what a Jupyter server in front of us does for a browser: of two websockets under one
// session id it forgets one, in the order of chance.
func TestForgottenTwinDoesNotTakeTheSession(t *testing.T) {
	t.Parallel()
	w := setup(t)
	path := "/api/kernels/" + w.kernel() + "/channels?session_id="
	for round := range 20 {
		session := path + fmt.Sprint(round)
		opened := make(chan *websocket.Conn)
		for range 2 {
			go func() {
				ws, _, err := dial(t.Context(), w.URL, session, "")
				if err != nil {
					t.Error(err)
				}
				opened <- ws
			}()
		}
		forgotten, used := <-opened, <-opened
		if forgotten == nil || used == nil {
			t.FailNow()
		}
		if round%2 == 0 {
			forgotten, used = used, forgotten
		}
		for range 3 {
			if got := run(t, used, "echo x"); got != "x\n" {
				t.Errorf("round %d: it said %q", round, got)
			}
		}
		_, _ = used.Close(), forgotten.Close()
	}
}

func TestSilentTwinIsServedWhenTheOtherHasGone(t *testing.T) {
	t.Parallel()
	w := setup(t)
	path := "/api/kernels/" + w.kernel() + "/channels?session_id="
	talker := w.socket(path+"talker", wire.V1Protocol)
	first := w.socket(path+"s", wire.V1Protocol)
	run(t, first, "echo before")
	second, third := w.socket(path+"s", wire.V1Protocol), w.socket(path+"s", wire.V1Protocol)
	_ = first.Close()
	run(t, talker, "echo after")
	served := make(chan string)
	for _, ws := range []*websocket.Conn{second, third} {
		go func() {
			for {
				_, body, err := ws.ReadMessage()
				if err != nil {
					return
				}
				if m, err := wire.ParseV1(body); err == nil && strings.Contains(string(m.Content), `"text"`) {
					served <- string(m.Content)
					return
				}
			}
		}()
	}
	if got := <-served; !strings.Contains(got, "after") {
		t.Errorf("it was told %s, want what was said since", got)
	}
	_, _ = second.Close(), third.Close()
}
