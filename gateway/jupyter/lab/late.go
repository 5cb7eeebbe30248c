package lab

import (
	"sync"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/labstack/echo/v4"
)

// Late has a Handler's routes before there is a Handler, whose files take a while to prepare on the first start. It is safe
// for concurrent use; the zero value is ready to use.
type Late struct {
	mu     sync.Mutex   // guards what follows
	routes []door.Route // nil until Set
	why    error        // what requests are told until then
}

// Routes lists the routes of every Handler. Until Set they answer with a problem.Unavailable.
func (l *Late) Routes() []door.Route {
	routes := new(Handler).Routes()
	for i := range routes {
		routes[i].Handle = func(c echo.Context) error {
			ready, err := l.ready()
			if err != nil {
				return err
			}
			return ready[i].Handle(c)
		}
	}
	return routes
}

func (l *Late) ready() ([]door.Route, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.routes != nil:
		return l.routes, nil
	case l.why != nil:
		return nil, l.why
	default:
		return nil, problem.New(problem.Unavailable, "JupyterLab's files are being prepared; try again in a moment")
	}
}

// Set gives all requests from now on to h.
func (l *Late) Set(h *Handler) {
	routes := h.Routes()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.routes = routes
}

// Explain says what requests are told until Set: how far the preparation is, or why it failed.
func (l *Late) Explain(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.why = why
}
