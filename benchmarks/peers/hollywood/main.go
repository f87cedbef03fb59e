// SPDX-License-Identifier: MIT

// W1 to W7, P1, and R1 to R4 with Hollywood.
package main

import (
	harness "costar/benchmarks/peers/go_harness"

	"github.com/anthdm/hollywood/actor"
)

// ball is the small message: one number.
type ball uint64

// start begins what an actor is to do.
type start struct{}

// report asks an actor for its count.
type report chan uint64

func newEngine() *actor.Engine {
	engine, err := actor.NewEngine(actor.NewEngineConfig())
	harness.Check(err)
	return engine
}

func main() {
	const smallInbox = "-inbox16"
	one, both := []int{1}, []int{1, 2}
	harness.Main(harness.Peer{
		Name:   "hollywood",
		Module: "github.com/anthdm/hollywood",
		Settings: "SpawnFunc, a goroutine for each run of an inbox, inbox of 1024 (the default), " +
			"throughput 300 (fixed), GOMAXPROCS = strands, GOGC 100. hollywood-inbox16: WithInboxSize(16), for " +
			"many small actors. P1: inboxes of 110, which grow, there is no bound. R1 to R4: " +
			"messages of protobuf's well-known types, no bound, a buffer that holds what R4 has under way.",
		Serve: serve,
	}, []harness.Workload{
		{Name: "W1a", Strands: both, InFlight: 1, Run: func(o harness.Order) harness.Outcome {
			return pingPong(1, o.Count(3_000_000))
		}},
		{Name: "W1b", Strands: both, InFlight: 4, Run: func(o harness.Order) harness.Outcome {
			return pingPong(4, o.Count(1_000_000))
		}},
		{Name: "W2", Strands: one, Foreign: true, Run: storm},
		{Name: "W3", Strands: both, Run: fanIn},
		{Name: "W4", Strands: both, InFlight: 1, Run: func(o harness.Order) harness.Outcome {
			return crowd(o, 10)
		}},
		{Name: "W4", Variant: smallInbox, Strands: both, InFlight: 1,
			Run: func(o harness.Order) harness.Outcome { return crowd(o, 10, actor.WithInboxSize(16)) }},
		{Name: "W5a", Strands: both, InFlight: 1, Run: func(o harness.Order) harness.Outcome {
			return ring(1, o.Count(2_000_000))
		}},
		{Name: "W5b", Strands: both, InFlight: 100, Run: func(o harness.Order) harness.Outcome {
			return ring(100, o.Count(10_000_000))
		}},
		{Name: "W6a", Strands: one, InFlight: 1, Run: sequentialAsks},
		{Name: "W6b", Strands: both, InFlight: 64, Run: manyAsks},
		{Name: "W7", Strands: both, Run: func(o harness.Order) harness.Outcome { return tree(o, 10) }},
		{Name: "W7", Variant: smallInbox, Strands: both,
			Run: func(o harness.Order) harness.Outcome { return tree(o, 1, actor.WithInboxSize(16)) }},
		{Name: "R1", Strands: []int{2}, Run: tenNodes},
		{Name: "R2", Strands: one, Run: pings},
		{Name: "R3", Strands: one, InFlight: 1, Run: remoteAsks},
		{Name: "R3b", Strands: one, InFlight: 64, Run: manyRemoteAsks},
		{Name: "R4", Strands: one, InFlight: harness.LoadsMax, Bytes: harness.LoadBytes, Run: loads},
		{Name: "P1", Strands: both, InFlight: 100, Run: echoes},
	})
}
