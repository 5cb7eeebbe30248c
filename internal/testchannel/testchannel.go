// Package testchannel makes a real conda channel for tests, and serves it with faults where a test wants them.
//
// Nothing in the channel is made up: python is the CPython of this machine, repacked, and ipykernel, numpy and the others are
// the wheels of the Python package index, with their own files, dependencies and entry points. It is indexed by py-rattler,
// with repodata.json, its .zst and shards. It takes half a minute, 115 MB and as much again for wheels and tools, once per machine: tests of all packages share
// one, in the caller's cache directory. See channel/channel.py.
//
// The channel holds, besides python (3.11 or 3.12, the second too where it is found) and python_abi:
//
//	ipykernel 7.4.0 and 6.29.5, numpy 2.4.6 and 1.26.4, traitlets 5.16.1 and 5.14.3, pandas, requests, ipywidgets, pip,
//	setuptools, wheel and all that they need; bash-kernel with bash-kernelspec, a kernel of another language. numpy and
//	pandas are there for the first Python alone.
//
// and a package for each thing that packages in the wild do now and then:
//
//	link-script           a post-link script that makes PREFIX/POST_LINK_RAN
//	link-script-fails     a post-link script that exits with 7
//	activates             a script that sets ACTIVATES and PATH, and the variable ACTIVATES_VARIABLE
//	binary-prefix         a program with the prefix in it (where there is a C compiler)
//	symlink-inside        a link to a file of its own
//	symlink-outside       a link to /etc/hostname by "..", and one to /etc
//	tar-traversal         a file "../../tar-traversal.txt" in the archive
//	paths-traversal       a path out of the prefix in paths.json, whose source exists in a cache of packages
//	entry-traversal       an entry point named "../../entry-traversal"
//	clobber-one, -two     both have share/clobber.txt
//	wrong-hash            bytes that are not those of its record
//	missing-artifact      a record without a file
//	conflict-base         1.0 and 2.0; conflict-left needs <2, conflict-right >=2; constrainer allows <2 alone
//	missing-dependency    needs no-such-package; needs-cuda needs __cuda; cycle-one and cycle-two need each other
//	many-files            20,000 small files
//	agpl                  a licence that policies deny
//	odd-names             file names that are not ASCII, and two that differ in case
//	too-new               1.0 of long ago and 2.0 of the year 2099; all others are of 2024-01-01
//
// Of these py-rattler 0.28 refuses entry-traversal, missing-artifact and, over HTTP, wrong-hash by itself, and leaves
// tar-traversal's file out. Not so the others: it writes paths-traversal's file beside the prefix, links symlink-outside, lets
// one of two clobbering packages win, and does not look at hashes where the channel is a file:// one. A driver must, and must look
// into archives itself before they are unpacked.
//
// The wheels are those of the channel, and cowsay and tabulate, which the channel lacks; too-new-wheel 1.0 and 2.0 (of the
// year 2099, as the index says), wants-old-numpy (numpy<2), wants-the-impossible, entry-traversal-wheel, and only-sdist,
// which has no wheel and whose setup.py makes SETUP_PY_RAN.
package testchannel

import (
	"context"
	"errors"
	"testing"
)

// Dir returns the folder of the channel, "file://" + Dir(tb) to tools. It is shared: a test must not change it. It is made
// when it is first asked for, which takes a while, and skips the test with a sentence where this machine lacks what it needs.
func Dir(tb testing.TB) string {
	tb.Helper()
	return folder(tb, Build).Channel
}

// Python returns the interpreter that indexed the channel and has py-rattler, under the conditions of Dir: a second opinion for
// tests. What it runs must end by os._exit, because py-rattler may crash while an interpreter takes itself down.
func Python(tb testing.TB) string {
	tb.Helper()
	return folder(tb, Build).Python
}

func folder(tb testing.TB, build func(context.Context) (Folders, error)) Folders {
	tb.Helper()
	if testing.Short() {
		tb.Skip("the test channel is not for short tests")
	}
	made, err := build(tb.Context())
	if missing, ok := errors.AsType[*MissingError](err); ok {
		tb.Skipf("no test channel: %v", missing)
	}
	if err != nil {
		tb.Fatalf("make the test channel: %v", err)
	}
	return made
}
