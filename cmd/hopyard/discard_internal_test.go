package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/plugins/storage"
)

func TestDeletedProjectLeavesNothingToASuccessorOfItsName(t *testing.T) {
	t.Parallel()
	d := dataDir(t.TempDir())
	files, err := d.files("demo")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(files, "secret.txt"), []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.setAside("demo", time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	if files, err = d.files("demo"); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(files); len(left) > 0 {
		t.Errorf("the new project has %v", left)
	}
	if b, err := os.ReadFile(filepath.Join(string(d), "removed", "demo-19700101T000000.000", "files", "secret.txt")); err != nil || string(b) != "s" {
		t.Errorf("the old file is %q, %v; want it set aside", b, err)
	}
}

func TestDeleteBelowSparesNeighbours(t *testing.T) {
	t.Parallel()
	store := memory.NewStorage()
	for i := range 300 {
		if _, err := store.Apply(t.Context(), storage.Put(fmt.Sprintf("x/demo/%d", i), nil), storage.Put(fmt.Sprintf("x/demo2/%d", i), nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := deleteBelow(t.Context(), store, "x/demo/"); err != nil {
		t.Fatal(err)
	}
	page, err := store.List(t.Context(), storage.Query{})
	if err != nil || len(page.Records) != 300 {
		t.Errorf("%d records left, %v; want the 300 of demo2", len(page.Records), err)
	}
}
