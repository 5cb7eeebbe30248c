// Package badday holds tests that kill and starve what runs in earnest: the real binary, its agents and kernels, as processes of
// their own. They need the tag e2e, a binary (HOPYARD) and what prepare makes (HOPYARD_TEST_PREPARED).
package badday
