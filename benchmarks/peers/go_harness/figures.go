// SPDX-License-Identifier: MIT

package harness

import (
	"runtime"
	"slices"
	"time"
)

// Stopwatch knows the time and the heap allocations since it was started.
type Stopwatch struct {
	start   time.Time
	mallocs uint64
}

// Start begins a measurement.
func Start() Stopwatch {
	mallocs := mallocsSoFar()
	return Stopwatch{time.Now(), mallocs}
}

// Rate ends the measurement of something that comes so many times.
func (watch Stopwatch) Rate(name, unit string, count uint64) Outcome {
	seconds := watch.seconds()
	return Outcome{
		Figures:     []Figure{{name, float64(count) / seconds, unit, "more"}},
		Allocations: mallocsSoFar() - watch.mallocs,
	}
}

// Duration ends the measurement of something that takes a time; scale is 1, or by how much less was done.
func (watch Stopwatch) Duration(name string, scale float64) Outcome {
	seconds := watch.seconds()
	return Outcome{
		Figures:     []Figure{{name, seconds * scale, "s", "less"}},
		Allocations: mallocsSoFar() - watch.mallocs,
	}
}

// Percentiles ends the measurement of many durations.
func (watch Stopwatch) Percentiles(took []time.Duration) Outcome {
	mallocs := mallocsSoFar()
	slices.Sort(took)
	at := func(part float64) float64 { return float64(took[int(part*float64(len(took)-1))].Nanoseconds()) }
	return Outcome{
		Figures: []Figure{{"p50", at(0.5), "ns", "less"}, {"p90", at(0.9), "ns", "less"},
			{"p99", at(0.99), "ns", "less"}, {"p99.9", at(0.999), "ns", "less"}},
		Allocations: mallocs - watch.mallocs,
	}
}

func (watch Stopwatch) seconds() float64 { return time.Since(watch.start).Seconds() }

// Sum adds up the next values of a channel.
func Sum(values <-chan uint64, count int) uint64 {
	sum := uint64(0)
	for range count {
		sum += <-values
	}
	return sum
}

func mallocsSoFar() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.Mallocs
}

// MemoryOfEach is what has been added to the live memory since before, shared among so many actors.
func MemoryOfEach(actors, before uint64) Figure {
	growth := float64(LiveBytes()) - float64(before)
	return Figure{"memory of an actor", growth / float64(actors), "B", "less"}
}
