// SPDX-License-Identifier: MIT

// W1 to W7, P1, and R1 to R4 with protoactor-go.
package main

import (
	"log/slog"
	"os"

	harness "costar/benchmarks/peers/go_harness"

	"github.com/asynkron/protoactor-go/actor"
)

// ball is the small message: one number.
type ball uint64

// start begins what an actor is to do.
type start struct{}

// report asks an actor for its count.
type report chan uint64

func newRoot() *actor.RootContext {
	quiet := actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	})
	return actor.NewActorSystem(quiet).Root
}

func main() {
	one, both := []int{1}, []int{1, 2}
	harness.Main(harness.Peer{
		Name:   "protoactor",
		Module: "github.com/asynkron/protoactor-go",
		Settings: "PropsFromFunc, default unbounded mailbox and default dispatcher (a goroutine for each run " +
			"of a mailbox, throughput 300), RequestFuture for asks, no metrics, GOMAXPROCS = strands, GOGC 100. " +
			"P1: Bounded(110), throughput 300. R1 to R4: messages of protobuf's well-known types, the default " +
			"settings of its remote but for the largest envelope, which holds what R4 has under way.",
		Serve: serve,
	}, []harness.Workload{
		{Name: "W1a", Strands: both, InFlight: 1, Run: func(o harness.Order) harness.Outcome {
			return pingPong(1, o.Count(600_000))
		}},
		{Name: "W1b", Strands: both, InFlight: 4, Run: func(o harness.Order) harness.Outcome {
			return pingPong(4, o.Count(200_000))
		}},
		{Name: "W2", Strands: one, Foreign: true, Run: storm},
		{Name: "W3", Strands: both, Run: fanIn},
		{Name: "W4", Strands: both, InFlight: 1, Run: crowd},
		{Name: "W5a", Strands: both, InFlight: 1, Run: func(o harness.Order) harness.Outcome {
			return ring(1, o.Count(600_000))
		}},
		{Name: "W5b", Strands: both, InFlight: 100, Run: func(o harness.Order) harness.Outcome {
			return ring(100, o.Count(10_000_000))
		}},
		{Name: "W6a", Strands: one, InFlight: 1, Run: sequentialAsks},
		{Name: "W6b", Strands: both, InFlight: 64, Run: manyAsks},
		{Name: "W7", Strands: both, Run: tree},
		{Name: "R1", Strands: []int{2}, Run: tenNodes},
		{Name: "R2", Strands: one, Run: pings},
		{Name: "R3", Strands: one, InFlight: 1, Run: remoteAsks},
		{Name: "R3b", Strands: one, InFlight: 64, Run: manyRemoteAsks},
		{Name: "R4", Strands: one, InFlight: harness.LoadsMax, Bytes: harness.LoadBytes, Run: loads},
		{Name: "P1", Strands: both, InFlight: 100, Run: echoes},
	})
}
