package tools

import "github.com/hopyard/hopyard/internal/wheels"

// Pins are all wheels that Build needs: those of the tools and of what installs them. A host whose cache has them builds offline.
func Pins() ([]wheels.Wheel, error) {
	l, err := readLock(lockFiles, "tools", "")
	if err != nil {
		return nil, err
	}
	pip, err := installer()
	if err != nil {
		return nil, err
	}
	return append(append([]wheels.Wheel{}, l.pins...), pip.pins...), nil
}
