package lock

import "strings"

// Licences that packages have most, by their SPDX identifiers. Others are given by the name that the package gives.
var spdx = map[string]bool{
	"0BSD": true, "AFL-2.1": true, "AGPL-3.0-only": true, "AGPL-3.0-or-later": true, "Apache-2.0": true, "Artistic-2.0": true, "BSD-2-Clause": true,
	"BSD-3-Clause": true, "BSL-1.0": true, "bzip2-1.0.6": true, "CC0-1.0": true, "CC-BY-4.0": true, "curl": true, "EPL-2.0": true, "EUPL-1.2": true, "FTL": true,
	"GPL-2.0-only": true, "GPL-2.0-or-later": true, "GPL-3.0-only": true, "GPL-3.0-or-later": true, "HPND": true, "ICU": true,
	"IJG": true, "ISC": true, "LGPL-2.0-or-later": true, "LGPL-2.1-only": true, "LGPL-2.1-or-later": true, "LGPL-3.0-only": true,
	"LGPL-3.0-or-later": true, "Libpng": true, "libpng-2.0": true, "libtiff": true, "MIT": true, "MIT-0": true, "MIT-CMU": true,
	"MPL-2.0": true, "NCSA": true, "OpenSSL": true, "OFL-1.1": true, "PSF-2.0": true, "Python-2.0": true, "Ruby": true, "TCL": true, "Unicode-3.0": true, "Unlicense": true,
	"W3C": true, "WTFPL": true, "X11": true, "Zlib": true, "ZPL-2.1": true,
}

// licenses is a licence in CycloneDX's form: an identifier, an expression of identifiers, or a name.
func licenses(said string) []any {
	said = strings.TrimSpace(said)
	switch {
	case said == "":
		return nil
	case spdx[said]:
		return []any{map[string]any{"license": map[string]string{"id": said}}}
	case isExpression(said):
		return []any{map[string]string{"expression": said}}
	}
	return []any{map[string]any{"license": map[string]string{"name": said}}}
}

// isExpression reports whether a text is identifiers in turn with AND and OR, without brackets.
func isExpression(text string) bool {
	words := strings.Fields(text)
	for i, word := range words {
		isID := i%2 == 0
		if isID && !spdx[word] || !isID && word != "AND" && word != "OR" {
			return false
		}
	}
	return len(words)%2 == 1
}
