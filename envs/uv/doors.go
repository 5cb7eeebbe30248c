package uv

import (
	"context"
	"errors"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
)

var errSoon = errors.New("being written")

// Compile solves the requirements into exact wheels, sorted by name.
func (t *Tool) Compile(ctx context.Context, req Request) ([]lock.Wheel, error) { return nil, errSoon }

// Fetch brings the wheels into dir/<sha256>/<filename>, each complete or absent, and tells of it in the phase fetch.
func (t *Tool) Fetch(ctx context.Context, wheels []lock.Wheel, dir string, tell driver.Sink) error {
	return errSoon
}

// Venv makes an empty virtual environment at prefix, an absent or empty folder, on the interpreter base.
func (t *Tool) Venv(ctx context.Context, base, prefix string) error { return errSoon }

// Install puts fetched wheels into an environment and tells of it in the phase pip.
func (t *Tool) Install(ctx context.Context, req InstallRequest, tell driver.Sink) error { return errSoon }

// Search looks for the exact name on a package index; empty means uv's default. No such package is no error: the answer is empty.
func (t *Tool) Search(ctx context.Context, index, name string) ([]driver.Found, error) {
	return nil, errSoon
}

// Version is uv's own, "0.13.9".
func (t *Tool) Version(ctx context.Context) (string, error) { return "", errSoon }
