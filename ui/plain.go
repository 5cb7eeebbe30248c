package ui

import (
	"io"
	"net/http"
)

// explain is what people see where a console should be: why it is not there, and which doors work without it.
func explain(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return
	}
	_, _ = io.WriteString(w, plainPage)
}

const plainPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Hopyard</title>
<h1>Hopyard runs, without its console</h1>
<p>` + whyNone + `</p>
<p>Everything else works:</p>
<ul>
<li>notebooks of a project, at <code>/p/<i>project</i>/jupyter/lab</code> and <code>/p/<i>project</i>/jupyter/tree</code></li>
<li>the API, described at <a href="/api/v1/openapi.json">/api/v1/openapi.json</a></li>
<li><a href="/login">logging in</a></li>
</ul>
</html>
`
