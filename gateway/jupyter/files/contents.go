package files

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/events"
	"github.com/hopyard/hopyard/gateway/jupyter/shape"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels/contents"
	"github.com/hopyard/hopyard/kernels/contents/nbformat"
	"github.com/labstack/echo/v4"
)

// target is what a request below /api/contents is about: a path, or the checkpoints or trust of the file at the path.
type target struct {
	path string
	sub  string // "", "checkpoints", "trust"
	id   string // of a checkpoint
}

var subPath = regexp.MustCompile(`^(.*)/(checkpoints|trust)(?:/([\w-]+))?$`)

// target reads what the request is about. What looks like the checkpoints of a folder is a path: folders have none, but may well
// hold a folder of that name.
func (h *Handler) target(c echo.Context) (target, error) {
	path, err := tail(c)
	if err != nil {
		return target{}, err
	}
	m := subPath.FindStringSubmatch(path)
	if m == nil || m[2] == "trust" && m[3] != "" || h.store.IsDir(door.CallerOf(c).Project, m[1]) {
		return target{path: path}, nil
	}
	return target{m[1], m[2], m[3]}, nil
}

// kind brings the type that a client names into ours: what it does not know is a file.
func kind(name string) contents.Type {
	switch t := contents.Type(name); t {
	case "", contents.Directory, contents.Notebook:
		return t
	default:
		return contents.File
	}
}

func (h *Handler) publish(c echo.Context, action, path, source string) {
	h.events.Publish(door.CallerOf(c).Project, events.Contents(action, strings.Trim(path, "/"), strings.Trim(source, "/")))
}

func (h *Handler) get(c echo.Context) error {
	t, err := h.target(c)
	if err != nil {
		return err
	}
	if t.sub == "checkpoints" && t.id == "" {
		return h.listCheckpoints(c, t.path)
	} else if t.sub != "" {
		return echo.ErrMethodNotAllowed
	}
	want, err := wanted(c)
	if err != nil {
		return err
	}
	item, err := h.store.Get(c.Request().Context(), door.CallerOf(c).Project, t.path, want)
	if err != nil {
		return err
	}
	if !want.Hash {
		item.Hash = "" // known from reading, but nobody asked
	}
	h.publish(c, "get", item.Path, "")
	return answer(c, http.StatusOK, item)
}

func wanted(c echo.Context) (contents.Want, error) {
	want := contents.Want{User: door.CallerOf(c).User, Type: kind(c.QueryParam("type")), Format: contents.Format(c.QueryParam("format"))}
	if want.Format != "" && want.Format != contents.Text && want.Format != contents.Base64 {
		return want, problem.New(problem.Invalid, "Format '%s' is invalid", want.Format)
	}
	var err error
	if want.Content, err = flag(c, "content", true); err != nil {
		return want, problem.New(problem.Invalid, "Content '%s' is invalid", c.QueryParam("content"))
	}
	if want.Hash, err = flag(c, "hash", false); err != nil {
		return want, problem.New(problem.Invalid, "Hash argument '%s' is invalid. It must be '0' or '1'.", c.QueryParam("hash"))
	}
	return want, nil
}

var errFlag = errors.New("neither 0 nor 1")

func flag(c echo.Context, name string, otherwise bool) (bool, error) {
	if !c.QueryParams().Has(name) {
		return otherwise, nil
	}
	switch c.QueryParam(name) {
	case "0":
		return false, nil
	case "1":
		return true, nil
	}
	return false, errFlag
}

// posted is the body of POST and PATCH.
type posted struct {
	Type     *string `json:"type"`
	Ext      *string `json:"ext"`
	CopyFrom *string `json:"copy_from"`
	Path     *string `json:"path"`
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (h *Handler) post(c echo.Context) error {
	t, err := h.target(c)
	if err != nil {
		return err
	}
	switch t.sub {
	case "checkpoints":
		if t.id != "" {
			return h.restoreCheckpoint(c, t)
		}
		return h.createCheckpoint(c, t.path)
	case "trust":
		return h.trust(c, t.path)
	}
	if h.store.IsFile(door.CallerOf(c).Project, t.path) {
		return problem.New(problem.Invalid, "Cannot POST to files, use PUT instead.")
	}
	var body posted
	if err := shape.ReadJSON(c, &body); err != nil {
		return err
	}
	if from := text(body.CopyFrom); from != "" {
		return h.copy(c, from, t.path)
	}
	return h.untitled(c, t.path, kind(text(body.Type)), text(body.Ext))
}

func (h *Handler) copy(c echo.Context, from, to string) error {
	item, err := h.store.Copy(c.Request().Context(), door.CallerOf(c).Project, from, to)
	if err != nil {
		return err
	}
	h.publish(c, "copy", item.Path, from)
	return located(c, http.StatusCreated, item)
}

func (h *Handler) untitled(c echo.Context, dir string, t contents.Type, ext string) error {
	item, err := h.store.NewUntitled(c.Request().Context(), door.CallerOf(c).Project, dir, t, ext)
	if err != nil {
		return err
	}
	h.publish(c, "save", item.Path, "")
	return located(c, http.StatusCreated, item)
}

// put saves. The body is parsed in place and never decoded: that is what makes large notebooks quick.
func (h *Handler) put(c echo.Context) error {
	t, err := h.target(c)
	if err != nil {
		return err
	} else if t.sub != "" {
		return echo.ErrMethodNotAllowed
	}
	body, err := h.body(c)
	if err != nil {
		return err
	}
	defer body.Close()
	m, err := parseModel(body.Bytes())
	if err != nil {
		return err
	}
	if m.Kind() == nbformat.Absent {
		return h.untitled(c, t.path, "", "")
	}
	up, err := upload(c, m)
	if err != nil {
		return err
	}
	if up.Type == contents.Notebook {
		up.Ran = h.ran(c.Request().Context(), door.CallerOf(c), t.path)
	}
	item, isNew, err := h.store.Save(c.Request().Context(), door.CallerOf(c).Project, t.path, up)
	if err != nil {
		return err
	}
	if up.Chunk <= 0 {
		h.publish(c, "save", item.Path, "")
	}
	status := http.StatusOK
	if isNew {
		status = http.StatusCreated
	}
	return located(c, status, item)
}

// maxBody is the largest body in bytes that is saved or converted.
const maxBody = 512 << 20

// body takes the whole body of a request, a large one out of the process's own memory.
func (h *Handler) body(c echo.Context) (*contents.Spool, error) {
	req := c.Request()
	body, err := h.store.Spool(door.CallerOf(c).Project, http.MaxBytesReader(c.Response(), req.Body, maxBody), req.ContentLength)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, problem.New(problem.TooLarge, "the body is larger than %d MiB", maxBody>>20)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, problem.New(problem.Invalid, "the body ended early")
	}
	return body, err
}

// parseModel reads the model that a client sends; it is absent if the client sends none.
func parseModel(body []byte) (nbformat.Value, error) {
	if len(strings.TrimSpace(string(body[:min(len(body), 64)]))) == 0 {
		return nbformat.Value{}, nil
	}
	m, err := nbformat.Parse(body)
	if err != nil {
		return m, problem.New(problem.Invalid, "Invalid JSON in body of request")
	}
	if m.Kind() == nbformat.Null {
		return nbformat.Value{}, nil
	}
	if m.Kind() != nbformat.Object {
		return m, problem.New(problem.Invalid, "the body of the request must be a JSON object")
	}
	for range m.Members() {
		return m, nil
	}
	return nbformat.Value{}, nil // {} is as good as nothing
}

func upload(c echo.Context, m nbformat.Value) (contents.Upload, error) {
	up := contents.Upload{
		User: door.CallerOf(c).User, Type: kind(m.Get("type").Text()), Format: contents.Format(m.Get("format").Text()), Content: m.Get("content"),
	}
	if m.Get("copy_from").Text() != "" {
		return up, problem.New(problem.Invalid, "Cannot copy with PUT, only POST")
	}
	if chunk := m.Get("chunk"); chunk.Kind() != nbformat.Absent && chunk.Kind() != nbformat.Null {
		n, ok := chunk.Int()
		if !ok || n == 0 || n < -1 {
			return up, problem.New(problem.Invalid, "chunks are numbered 1, 2, … and -1 for the last")
		}
		up.Chunk = n
	}
	return up, nil
}

func (h *Handler) patch(c echo.Context) error {
	t, err := h.target(c)
	if err != nil {
		return err
	} else if t.sub != "" {
		return echo.ErrMethodNotAllowed
	}
	body := new(posted)
	if err := shape.ReadJSON(c, &body); err != nil {
		return err
	}
	if body == nil || c.Request().ContentLength == 0 {
		return problem.New(problem.Invalid, "JSON body missing")
	}
	to := t.path
	if body.Path != nil {
		to = *body.Path
	}
	item, err := h.store.Rename(c.Request().Context(), door.CallerOf(c).Project, t.path, to)
	if err != nil {
		return err
	}
	if to != t.path {
		h.publish(c, "rename", item.Path, t.path)
	}
	return located(c, http.StatusOK, item)
}

func (h *Handler) delete(c echo.Context) error {
	t, err := h.target(c)
	if err != nil {
		return err
	}
	if t.sub == "checkpoints" && t.id != "" {
		return h.deleteCheckpoint(c, t)
	} else if t.sub != "" {
		return echo.ErrMethodNotAllowed
	}
	if err := h.store.Delete(c.Request().Context(), door.CallerOf(c).Project, t.path); err != nil {
		return err
	}
	h.publish(c, "delete", t.path, "")
	return c.NoContent(http.StatusNoContent)
}
