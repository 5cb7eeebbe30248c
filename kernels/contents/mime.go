package contents

import (
	"path"
	"strings"
)

// Mimetype gives the MIME type of a file by its name as Python's mimetypes does, empty where that knows none. It is a table
// of ours so that the answer does not depend on what is installed on the host.
func Mimetype(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if inner := strings.ToLower(path.Ext(strings.TrimSuffix(name, path.Ext(name)))); encodings[ext] && mimetypes[inner] != "" {
		return mimetypes[inner] // Python looks through the compression: data.csv.gz is text/csv
	}
	return mimetypes[ext]
}

// Encoded reports whether the name says that the bytes are compressed, so that they are not of Mimetype themselves.
func Encoded(name string) bool { return encodings[strings.ToLower(path.Ext(name))] }

var encodings = map[string]bool{".gz": true, ".z": true, ".bz2": true, ".xz": true, ".br": true}

var mimetypes = map[string]string{
	".aac": "audio/aac", ".avi": "video/x-msvideo", ".avif": "image/avif", ".bat": "text/plain", ".bin": "application/octet-stream",
	".bmp": "image/bmp", ".c": "text/plain", ".css": "text/css", ".csv": "text/csv", ".doc": "application/msword",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".epub": "application/epub+zip",
	".flac": "audio/flac", ".geojson": "application/geo+json", ".gif": "image/gif", ".h": "text/plain", ".h5": "application/x-hdf5",
	".hdf": "application/x-hdf", ".htm": "text/html", ".html": "text/html", ".ico": "image/vnd.microsoft.icon", ".ics": "text/calendar",
	".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".js": "text/javascript", ".json": "application/json", ".jsonl": "application/jsonl",
	".latex": "application/x-latex", ".log": "text/plain", ".m4a": "audio/mp4", ".markdown": "text/markdown", ".md": "text/markdown",
	".mjs": "text/javascript", ".mkv": "video/x-matroska", ".mov": "video/quicktime", ".mp3": "audio/mpeg", ".mp4": "video/mp4",
	".mpeg": "video/mpeg", ".n3": "text/n3", ".nt": "application/n-triples", ".ogg": "audio/ogg", ".ogv": "video/ogg",
	".parquet": "application/vnd.apache.parquet", ".pdf": "application/pdf", ".png": "image/png",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation", ".ps": "application/postscript",
	".py": "text/x-python", ".r": "text/x-r", ".rst": "text/x-rst", ".rtf": "text/rtf", ".scala": "text/x-scala", ".sh": "application/x-sh",
	".sql": "application/sql", ".svg": "image/svg+xml", ".tar": "application/x-tar", ".tex": "application/x-tex", ".tif": "image/tiff",
	".tiff": "image/tiff", ".toml": "application/toml", ".ts": "text/x-typescript", ".tsv": "text/tab-separated-values", ".ttl": "text/turtle",
	".txt": "text/plain", ".wasm": "application/wasm", ".wav": "audio/x-wav", ".weba": "audio/webm", ".webm": "video/webm",
	".webp": "image/webp", ".woff": "font/woff", ".woff2": "font/woff2", ".xls": "application/vnd.ms-excel",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xml": "text/xml", ".xsl": "application/xml",
	".yaml": "application/yaml", ".yml": "application/yaml", ".zip": "application/zip",
}
