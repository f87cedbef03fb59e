// SPDX-License-Identifier: MIT

package main

import (
	"time"

	harness "costar/benchmarks/peers/go_harness"

	"github.com/anthdm/hollywood/actor"
)

// W1: ping-pong.
func pingPong(pairs int, count uint64) harness.Outcome {
	engine := newEngine()
	ends := make(chan uint64, pairs)
	pingers := make([]*actor.PID, pairs)
	for i := range pingers {
		ponger := engine.SpawnFunc(func(ctx *actor.Context) {
			if message, ok := ctx.Message().(ball); ok {
				ctx.Respond(message + 1)
			}
		}, "ponger")
		pingers[i] = engine.SpawnFunc(func(ctx *actor.Context) {
			switch message := ctx.Message().(type) {
			case start:
				ctx.Send(ponger, ball(1))
			case ball:
				if uint64(message) < count {
					ctx.Send(ponger, message+1)
				} else {
					ends <- uint64(message)
				}
			}
		}, "pinger")
	}
	watch := harness.Start()
	for _, pinger := range pingers {
		engine.Send(pinger, start{})
	}
	received := harness.Sum(ends, pairs)
	outcome := watch.Rate("messages", "msg/s", uint64(pairs)*count)
	outcome.Sent, outcome.Received = uint64(pairs)*count, received
	return outcome
}

// counter counts what it gets.
func counter() func(*actor.Context) {
	count := uint64(0)
	return func(ctx *actor.Context) {
		switch message := ctx.Message().(type) {
		case ball:
			count++
		case report:
			message <- count
		}
	}
}

// W2: a goroutine that is no actor sends as fast as it can.
func storm(order harness.Order) harness.Outcome {
	count := order.Count(10_000_000)
	engine := newEngine()
	target := engine.SpawnFunc(counter(), "counter")
	watch := harness.Start()
	for i := range count {
		engine.Send(target, ball(i))
	}
	counts := make(report)
	engine.Send(target, counts)
	received := <-counts
	outcome := watch.Duration("until the last is handled", 1)
	outcome.Sent, outcome.Received = count, received
	outcome.Note = "GOMAXPROCS 2: the sender has the other core, as in costar"
	return outcome
}

// goOn is a sender's message to itself.
type goOn struct{}

// source sends in turns of 100 until it is asked for its count.
func source(targets []*actor.PID, at int) func(*actor.Context) {
	sent := uint64(0)
	halted := false
	return func(ctx *actor.Context) {
		switch message := ctx.Message().(type) {
		case goOn:
			if halted {
				return
			}
			for range 100 {
				ctx.Send(targets[at], ball(sent))
				sent++
				if at++; at == len(targets) {
					at = 0
				}
			}
			ctx.Send(ctx.PID(), goOn{})
		case report:
			halted = true
			message <- sent
		}
	}
}

// W3: many senders, more receivers.
func fanIn(order harness.Order) harness.Outcome {
	const senders, receivers = 20, 2000
	engine := newEngine()
	targets := make([]*actor.PID, receivers)
	for i := range targets {
		targets[i] = engine.SpawnFunc(counter(), "counter")
	}
	sources := make([]*actor.PID, senders)
	for i := range sources {
		sources[i] = engine.SpawnFunc(source(targets, i*receivers/senders), "source")
	}
	countsOf := func(actors []*actor.PID) uint64 {
		counts := make(report, len(actors))
		for _, each := range actors {
			engine.Send(each, counts)
		}
		return harness.Sum(counts, len(actors))
	}
	watch := harness.Start()
	for _, each := range sources {
		engine.Send(each, goOn{})
	}
	if order.Quick {
		time.Sleep(50 * time.Millisecond)
	} else {
		time.Sleep(5 * time.Second)
	}
	sent := countsOf(sources)
	received := countsOf(targets)
	outcome := watch.Rate("messages", "msg/s", received)
	outcome.Sent, outcome.Received = sent, received
	return outcome
}

// W5: a ring; tokens end at its head.
func ring(tokens, total uint64) harness.Outcome {
	const nodes = 1000
	hops := (total/tokens/nodes + 1) * nodes // of each token
	engine := newEngine()
	ends := make(chan uint64, tokens)
	var first *actor.PID
	head := engine.SpawnFunc(func(ctx *actor.Context) {
		switch message := ctx.Message().(type) {
		case start:
			for range tokens {
				ctx.Send(first, ball(hops-1))
			}
		case ball:
			if message == 0 {
				ends <- hops
			} else {
				ctx.Send(first, message-1)
			}
		}
	}, "head")
	first = head
	for range nodes - 1 {
		next := first
		first = engine.SpawnFunc(func(ctx *actor.Context) {
			if message, ok := ctx.Message().(ball); ok {
				ctx.Send(next, message-1)
			}
		}, "node")
	}
	watch := harness.Start()
	engine.Send(head, start{})
	received := harness.Sum(ends, int(tokens))
	outcome := watch.Rate("messages", "msg/s", tokens*hops)
	outcome.Sent, outcome.Received = tokens*hops, received
	return outcome
}

// P1: clients send in batches of 100 to an echo each.
func echoes(order harness.Order) harness.Outcome {
	const batch = 100
	pairs := 2 * order.Strands
	count := order.Count(1_000_000)
	engine := newEngine()
	ends := make(chan uint64, pairs)
	clients := make([]*actor.PID, pairs)
	for i := range clients {
		echo := engine.SpawnFunc(func(ctx *actor.Context) {
			if message, ok := ctx.Message().(ball); ok {
				ctx.Respond(message)
			}
		}, "echo", actor.WithInboxSize(110))
		sent, received := uint64(0), uint64(0)
		clients[i] = engine.SpawnFunc(func(ctx *actor.Context) {
			switch ctx.Message().(type) {
			case ball:
				received++
			case start:
			default:
				return
			}
			if received < sent {
				return
			}
			if sent == count {
				ends <- received
				return
			}
			for range batch {
				ctx.Send(echo, ball(sent))
				sent++
			}
		}, "client", actor.WithInboxSize(110))
	}
	watch := harness.Start()
	for _, client := range clients {
		engine.Send(client, start{})
	}
	received := harness.Sum(ends, pairs)
	outcome := watch.Rate("messages", "msg/s", 2*count*uint64(pairs))
	outcome.Sent, outcome.Received = count*uint64(pairs), received
	return outcome
}
