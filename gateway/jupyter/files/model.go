package files

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/hopyard/hopyard/gateway/jupyter/shape"
	"github.com/hopyard/hopyard/kernels/contents"
	"github.com/labstack/echo/v4"
)

// model is Jupyter's contents model. All keys are always there. Content is last so that it can be streamed behind the rest.
type model struct {
	Name          string           `json:"name"`
	Path          string           `json:"path"`
	LastModified  shape.Time       `json:"last_modified"`
	Created       shape.Time       `json:"created"`
	Format        *contents.Format `json:"format"`
	Mimetype      *string          `json:"mimetype"`
	Size          *int64           `json:"size"`
	Writable      bool             `json:"writable"`
	Hash          *string          `json:"hash"`
	HashAlgorithm *string          `json:"hash_algorithm"`
	Type          contents.Type    `json:"type"`
	Content       any              `json:"content"`
}

var sha256Name = "sha256"

func modelOf(i *contents.Item) model {
	m := model{
		Name: i.Name, Path: i.Path, LastModified: shape.Time(i.Modified), Created: shape.Time(i.Created), Writable: i.Writable, Type: i.Type,
		Format: orNull(i.Format), Mimetype: orNull(i.Mimetype), Hash: orNull(i.Hash),
	}
	if i.Type != contents.Directory {
		m.Size = &i.Size
	}
	if m.Hash != nil {
		m.HashAlgorithm = &sha256Name
	}
	if i.Type == contents.Directory && i.Format != "" {
		children := make([]model, len(i.Items))
		for n := range i.Items {
			children[n] = modelOf(&i.Items[n])
		}
		m.Content = children
	}
	return m
}

func orNull[S ~string](s S) *S {
	if s == "" {
		return nil
	}
	return &s
}

// answer writes the model of an item, streaming its content if it has one, and closes it.
func answer(c echo.Context, status int, item *contents.Item) error {
	defer item.Content.Close()
	header := c.Response().Header()
	header.Set(echo.HeaderLastModified, item.Modified.UTC().Format(http.TimeFormat))
	header.Set(echo.HeaderCacheControl, "no-store")
	header.Set(echo.HeaderContentSecurityPolicy, "frame-ancestors 'self'; default-src 'none'")
	head, err := json.Marshal(modelOf(item))
	if err != nil {
		return err
	}
	if item.Content == nil {
		return c.JSONBlob(status, head)
	}
	head = bytes.TrimSuffix(head, []byte("null}"))
	if n := item.Content.Len(); n >= 0 {
		header.Set(echo.HeaderContentLength, strconv.FormatInt(int64(len(head))+n+1, 10))
	}
	header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	c.Response().WriteHeader(status)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	if _, err := c.Response().Write(head); err != nil {
		return err
	}
	if err := item.Content.WriteJSON(c.Response()); err != nil {
		panic(http.ErrAbortHandler) // the client must see that the answer is cut off
	}
	_, err = c.Response().Write([]byte("}"))
	return err
}

// located answers with the model of something and says where it is.
func located(c echo.Context, status int, item *contents.Item) error {
	c.Response().Header().Set(echo.HeaderLocation, base(c, "/api/contents")+"/api/contents/"+escape(item.Path))
	return answer(c, status, item)
}
