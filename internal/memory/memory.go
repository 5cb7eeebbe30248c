// Package memory keeps records and jobs in memory: for tests, and as the plain reading of the contracts storage.Backend
// and queue.Queue. Nothing outlives the process.
package memory
