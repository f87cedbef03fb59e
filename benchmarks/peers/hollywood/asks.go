// SPDX-License-Identifier: MIT

package main

import (
	"time"

	harness "costar/benchmarks/peers/go_harness"

	"github.com/anthdm/hollywood/actor"
)

// server answers with the number that comes after.
func server(ctx *actor.Context) {
	if message, ok := ctx.Message().(ball); ok {
		ctx.Respond(message + 1)
	}
}

func ask(engine *actor.Engine, server *actor.PID, number uint64) uint64 {
	reply, err := engine.Request(server, ball(number), 10*time.Second).Result()
	harness.Check(err)
	return uint64(reply.(ball))
}

// W6a: asks one after the other.
func sequentialAsks(order harness.Order) harness.Outcome {
	count := order.Count(500_000)
	took := make([]time.Duration, count)
	engine := newEngine()
	target := engine.SpawnFunc(server, "server")
	received := uint64(0)
	watch := harness.Start()
	for i := range count {
		begin := time.Now()
		reply := ask(engine, target, i)
		took[i] = time.Since(begin)
		received += reply - i
	}
	outcome := watch.Percentiles(took)
	outcome.Sent, outcome.Received = count, received
	return outcome
}

// W6b: 64 goroutines, each with one ask outstanding.
func manyAsks(order harness.Order) harness.Outcome {
	const clients = 64
	count := order.Count(1_000_000) / clients
	engine := newEngine()
	target := engine.SpawnFunc(server, "server")
	ends := make(chan uint64, clients)
	watch := harness.Start()
	for range clients {
		go func() {
			received := uint64(0)
			for i := range count {
				received += ask(engine, target, i) - i
			}
			ends <- received
		}()
	}
	received := harness.Sum(ends, clients)
	outcome := watch.Rate("asks", "asks/s", clients*count)
	outcome.Sent, outcome.Received = clients*count, received
	return outcome
}
