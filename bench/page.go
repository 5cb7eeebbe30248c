package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

//go:embed page.mjs
var pageProgram []byte

// painted is what a browser says of one visit, in milliseconds since it began.
type painted struct{ Paint, Rows, Drawn float64 }

// page opens the page of an environment of more than 500 packages in a real browser.
func (b *benchmark) page(ctx context.Context) error {
	s, err := b.siteFor(ctx)
	if err != nil {
		return err
	}
	if _, err := os.Stat("ui/dist/index.html"); err != nil {
		b.warn("the console's pages are not built: the case page is left out (make ui)")
		return nil
	}
	if err := s.manyPackages(ctx); err != nil {
		return err
	}
	var link struct{ URL string }
	if err := s.call(ctx, http.MethodPost, "/users/admin/login-links", nil, &link); err != nil {
		return err
	}
	script := filepath.Join(s.dir, "page.mjs")
	if err := os.WriteFile(script, pageProgram, 0o644); err != nil {
		return err
	}
	e2e, err := filepath.Abs("e2e")
	if err != nil {
		return err
	}
	out, _, err := timed(ctx, nil, "node", script, e2e, link.URL, strings.TrimSuffix(s.base, jupyterOfDemo)+"/projects/many/environments/many", "500")
	if err != nil {
		return err
	}
	var seen struct{ Cold, Warm []painted }
	if err := json.Unmarshal([]byte(out), &seen); err != nil {
		return err
	}
	b.pageRows("browser that was never here", seen.Cold)
	b.pageRows("browser with the page's files", seen.Warm)
	return nil
}

func (b *benchmark) pageRows(who string, visits []painted) {
	var paint, rows samples
	for _, v := range visits {
		paint, rows = append(paint, v.Paint/1000), append(rows, v.Rows/1000)
	}
	b.atMost("page of 534 packages, "+who+": first paint, p50", paint.at(0.5), "s", 0.5)
	b.atMost("page of 534 packages, "+who+": its packages are there, p50", rows.at(0.5), "s", 0.5)
}
