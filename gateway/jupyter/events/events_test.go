package events_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/events"
	"github.com/hopyard/hopyard/gateway/jupyter/shape"
	"github.com/labstack/echo/v4"
)

func serve(t *testing.T, bus *events.Bus) string {
	t.Helper()
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) { _ = shape.Error(c, err, "id") }
	for _, r := range events.NewHandler(bus).Routes() {
		e.Add(r.Method, "/p/:project/jupyter"+r.Path, func(c echo.Context) error {
			door.WithCaller(c, &door.Caller{User: "ann", Project: c.Param("project"), Token: true})
			return r.Handle(c)
		})
	}
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	return s.URL + "/p/demo/jupyter"
}

func listen(t *testing.T, base string) *websocket.Conn {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(base, "http")+"/api/events/subscribe", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(2 * time.Minute))
	return ws
}

func TestSubscribersHearTheirProject(t *testing.T) {
	t.Parallel()
	bus := events.NewBus()
	ws := listen(t, serve(t, bus))
	// The server subscribes before it answers the handshake, so nothing is missed from here on.
	bus.Publish("other", events.Contents("get", "hers", ""))
	bus.Publish("demo", events.Contents("rename", "b.txt", "a.txt"))
	bus.Publish("demo", events.Kernel("start", "k1", "python3", "started"))
	want := []string{
		`{"action":"rename","path":"b.txt","schema_id":"https://events.jupyter.org/jupyter_server/contents_service/v1","source_path":"a.txt"}`,
		`{"action":"start","kernel_id":"k1","kernel_name":"python3","msg":"started","schema_id":"https://events.jupyter.org/jupyter_server/kernel_actions/v1","status":"success"}`,
	}
	for _, w := range want {
		kind, got, err := ws.ReadMessage()
		if err != nil || kind != websocket.TextMessage || string(got) != w {
			t.Errorf("frame = %d %s, %v\nwant %s", kind, got, err, w)
		}
	}
}

func TestPostedEventsAreCheckedAndHeard(t *testing.T) {
	t.Parallel()
	base := serve(t, events.NewBus())
	ws := listen(t, base)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	const id = `"schema_id":"https://events.jupyter.org/jupyter_server/contents_service/v1"`
	for body, want := range map[string]int{
		``:                           400,
		`{`:                          400,
		`{` + id + `}`:               400,
		`{` + id + `,"version":"1"}`: 400,
		`{"schema_id":"nope","version":"1","data":{}}`:                                                           400,
		`{` + id + `,"version":"2","data":{"action":"get","path":""}}`:                                           400,
		`{` + id + `,"version":"1","data":{"action":"burn","path":""}}`:                                          400,
		`{` + id + `,"version":"1","data":{"action":"get"}}`:                                                     400,
		`{` + id + `,"version":"1","data":{"action":"get","path":7}}`:                                            400,
		`{` + id + `,"version":"1","data":{"action":"get","path":""},"timestamp":"now"}`:                         400,
		`{` + id + `,"version":"1","data":{"action":"get","path":"x"},"timestamp":"2022-05-26T13:50:00+05:00Z"}`: 204,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/api/events", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("POST %s = %d, want %d", body, resp.StatusCode, want)
		}
	}
	var got map[string]any
	if err := ws.ReadJSON(&got); err != nil || got["path"] != "x" {
		t.Errorf("heard %v, %v", got, err)
	}
}

func TestASlowSubscriberMissesTheOldest(t *testing.T) {
	t.Parallel()
	bus := events.NewBus()
	sub := bus.Subscribe("demo")
	for i := range 1000 {
		bus.Publish("demo", events.Event{Schema: "s", Data: map[string]any{"i": i}})
	}
	frame, err := sub.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var first struct{ I int }
	if err := json.Unmarshal(frame, &first); err != nil || first.I < 700 || first.I > 750 {
		t.Errorf("the first event kept is %d, %v, want one of the last few hundred", first.I, err)
	}
	sub.Close()
	sub.Close()
	bus.Publish("demo", events.Contents("get", "", ""))
	for range 1000 {
		if _, err = sub.Next(t.Context()); err != nil {
			break
		}
	}
	if err != events.ErrClosed { //nolint:errorlint // the very sentinel
		t.Errorf("after Close, Next = %v", err)
	}
}
