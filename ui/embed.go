//go:build !no_ui

package ui

import (
	"embed"
	"io/fs"
)

// The build; a lone .keep where nobody has built it yet, so that Go alone can still compile the binary.
//
//go:embed all:dist
var dist embed.FS

const whyNone = `This binary was compiled before the console was built. <code>make build</code> builds both.`

func built() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil { // only an invalid path could do that
		panic(err)
	}
	return files
}
