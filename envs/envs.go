// Package envs is the domain of environments: named pointers of a project to immutable builds, and all that leads to one.
//
//	environment.yml ──solve──► lock ──build──► prefix ──activate──► what new programs get
//	  a revision              exact, named     files on disk,        a row: taking it back
//	  (package spec)          by its hash      shared and sealed     is another row
//	                          (package lock)   (package store)
//
// The Service keeps revisions, builds and activations, solves, and has builds made by workloads of kind "build" (package
// build). What solves and installs is a driver: package conda for conda channels, package venv for wheels alone; package
// makers says which of them this host has. Package policy says what may be in an environment.
//
// A numbered Build, as people see it:
//
//	queued ──► solving ──► building ──► ready ──► collected   its files have gone, its lock is kept
//	   │          │           │           ▲           │
//	   └──────────┴───────────┴─► failed  └───────────┘        activating it brings the files back
//	                              canceled
package envs
