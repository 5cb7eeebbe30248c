package lab

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// texts are the kinds of files that are worth compressing; fonts and pictures are compressed already.
var texts = map[string]bool{".js": true, ".css": true, ".json": true, ".svg": true, ".ttf": true, ".eot": true, ".ico": true}

// Below this size in bytes a file fits in one packet anyway.
const compressAbove = 1 << 10

// compress writes NAME.gz beside every served text that becomes smaller by it.
func compress(ctx context.Context, dir string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(min(runtime.GOMAXPROCS(0), 4))
	for _, served := range []string{LabStatic, LabThemes, Extensions, NotebookStatic, Favicons} {
		err := filepath.WalkDir(filepath.Join(dir, served), func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !texts[path.Ext(name)] {
				return err
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			group.Go(func() error { return compressFile(name) })
			return nil
		})
		if err != nil {
			_ = group.Wait()
			return fmt.Errorf("compress %s: %w", served, err)
		}
	}
	return group.Wait()
}

func compressFile(name string) error {
	text, err := os.ReadFile(name)
	if err != nil || len(text) < compressAbove {
		return err
	}
	var small bytes.Buffer
	zip, err := gzip.NewWriterLevel(&small, 7) // 9 takes twice the time for one percent
	if err != nil {
		return err
	}
	if _, err := zip.Write(text); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	if small.Len() > len(text)*9/10 {
		return nil
	}
	return os.WriteFile(name+".gz", small.Bytes(), 0o644)
}
