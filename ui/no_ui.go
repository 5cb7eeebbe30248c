//go:build no_ui

package ui

import "io/fs"

const whyNone = `This binary was compiled with the tag <code>no_ui</code>, which leaves the console out.`

func built() fs.FS { return nil }
