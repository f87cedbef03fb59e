// SPDX-License-Identifier: MIT

package main

import (
	"time"

	harness "costar/benchmarks/peers/go_harness"

	"github.com/asynkron/protoactor-go/actor"
)

// W1: ping-pong.
func pingPong(pairs int, count uint64) harness.Outcome {
	root := newRoot()
	ends := make(chan uint64, pairs)
	pingers := make([]*actor.PID, pairs)
	for i := range pingers {
		ponger := root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if message, ok := ctx.Message().(ball); ok {
				ctx.Respond(message + 1)
			}
		}))
		pingers[i] = root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			switch message := ctx.Message().(type) {
			case start:
				ctx.Request(ponger, ball(1))
			case ball:
				if uint64(message) < count {
					ctx.Request(ponger, message+1)
				} else {
					ends <- uint64(message)
				}
			}
		}))
	}
	watch := harness.Start()
	for _, pinger := range pingers {
		root.Send(pinger, start{})
	}
	received := harness.Sum(ends, pairs)
	outcome := watch.Rate("messages", "msg/s", uint64(pairs)*count)
	outcome.Sent, outcome.Received = uint64(pairs)*count, received
	return outcome
}

// counter counts what it gets.
func counter() func(actor.Context) {
	count := uint64(0)
	return func(ctx actor.Context) {
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
	root := newRoot()
	target := root.Spawn(actor.PropsFromFunc(counter()))
	watch := harness.Start()
	for i := range count {
		root.Send(target, ball(i))
	}
	counts := make(report)
	root.Send(target, counts)
	received := <-counts
	outcome := watch.Duration("until the last is handled", 1)
	outcome.Sent, outcome.Received = count, received
	outcome.Note = "GOMAXPROCS 2: the sender has the other core, as in costar"
	return outcome
}

// goOn is a sender's message to itself.
type goOn struct{}

// source sends in turns of 100 until it is asked for its count.
func source(targets []*actor.PID, at int) func(actor.Context) {
	sent := uint64(0)
	halted := false
	return func(ctx actor.Context) {
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
			ctx.Send(ctx.Self(), goOn{})
		case report:
			halted = true
			message <- sent
		}
	}
}

// W3: many senders, more receivers.
func fanIn(order harness.Order) harness.Outcome {
	const senders, receivers = 20, 2000
	root := newRoot()
	targets := make([]*actor.PID, receivers)
	for i := range targets {
		targets[i] = root.Spawn(actor.PropsFromFunc(counter()))
	}
	sources := make([]*actor.PID, senders)
	for i := range sources {
		sources[i] = root.Spawn(actor.PropsFromFunc(source(targets, i*receivers/senders)))
	}
	countsOf := func(actors []*actor.PID) uint64 {
		counts := make(report, len(actors))
		for _, each := range actors {
			root.Send(each, counts)
		}
		return harness.Sum(counts, len(actors))
	}
	watch := harness.Start()
	for _, each := range sources {
		root.Send(each, goOn{})
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
	root := newRoot()
	ends := make(chan uint64, tokens)
	var first *actor.PID
	head := root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
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
	}))
	first = head
	for range nodes - 1 {
		next := first
		first = root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if message, ok := ctx.Message().(ball); ok {
				ctx.Send(next, message-1)
			}
		}))
	}
	watch := harness.Start()
	root.Send(head, start{})
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
	root := newRoot()
	ends := make(chan uint64, pairs)
	options := []actor.PropsOption{
		actor.WithMailbox(actor.Bounded(110)), actor.WithDispatcher(actor.NewDefaultDispatcher(300)),
	}
	clients := make([]*actor.PID, pairs)
	for i := range clients {
		echo := root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if message, ok := ctx.Message().(ball); ok {
				ctx.Respond(message)
			}
		}, options...))
		sent, received := uint64(0), uint64(0)
		clients[i] = root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
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
				ctx.Request(echo, ball(sent))
				sent++
			}
		}, options...))
	}
	watch := harness.Start()
	for _, client := range clients {
		root.Send(client, start{})
	}
	received := harness.Sum(ends, pairs)
	outcome := watch.Rate("messages", "msg/s", 2*count*uint64(pairs))
	outcome.Sent, outcome.Received = count*uint64(pairs), received
	return outcome
}
