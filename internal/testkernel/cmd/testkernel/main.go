// Command testkernel is a Jupyter kernel for tests: see internal/testkernel.
package main

import (
	"os"

	"github.com/hopyard/hopyard/internal/testkernel"
)

func main() { os.Exit(testkernel.Main(os.Args[1:], os.Stderr)) }
