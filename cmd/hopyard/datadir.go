package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hopyard/hopyard/internal/filelock"
)

// dataDir is the folder that holds all that a gateway keeps:
//
//	hopyard.db            users, projects, tokens, audit, workloads
//	hopyard.db-holders    which processes have it open: what the dead had claimed is given to others
//	bootstrap/admin.token the first token, mode 0600
//	projects/<p>/files    what people see in JupyterLab
//	projects/<p>/home     a home folder for each member, for what their programs keep
//	removed/              the files of deleted projects
//	run/<workload>/       one folder of mode 0700 for each running program: its agent's socket and journal
//	envs/                 environments: their files, caches and the logs of their builds
//	tools/ cache/         what environments are made with, and what it knows of channels
//	ui/                   the unpacked Lab and Notebook pages
//	lock                  held by the gateway that serves
//	address               where it listens, for the commands that talk with it
type dataDir string

// openDataDir makes the folder where it is missing. Only its owner may look into it: it holds everybody's files.
func openDataDir(path string) (dataDir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	for _, dir := range []string{abs, filepath.Join(abs, "projects"), filepath.Join(abs, "run")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", fmt.Errorf("data directory: %w", err)
		}
	}
	if err := os.Chmod(abs, 0o700); err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	return dataDir(abs), nil
}

// findDataDir is for commands that work on a directory that must be there.
func findDataDir(path string) (dataDir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	if _, err := os.Stat(dataDir(abs).database()); err != nil {
		return "", fmt.Errorf("%s is not a data directory: nothing has been served from it yet", abs)
	}
	return dataDir(abs), nil
}

func (d dataDir) database() string  { return filepath.Join(string(d), "hopyard.db") }
func (d dataDir) projects() string  { return filepath.Join(string(d), "projects") }
func (d dataDir) envs() string      { return filepath.Join(string(d), "envs") }
func (d dataDir) ui() string        { return filepath.Join(string(d), "ui") }
func (d dataDir) bootstrap() string { return filepath.Join(string(d), "bootstrap", "admin.token") }

// lock makes this process the one that serves the directory.
func (d dataDir) lock() (*filelock.Lock, error) {
	lock, err := filelock.Try(filepath.Join(string(d), "lock"))
	if held, ok := errors.AsType[*filelock.HeldError](err); ok {
		return nil, fmt.Errorf("another hopyard serves %s already (pid %d); stop it first, or take another --data", d, held.PID)
	}
	return lock, err
}
