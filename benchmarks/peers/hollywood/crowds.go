// SPDX-License-Identifier: MIT

package main

import (
	"sync/atomic"

	harness "costar/benchmarks/peers/go_harness"

	"github.com/anthdm/hollywood/actor"
)

// W4: actors that wait, then one message to each. With a scale of 10 a tenth of them, and times by ten.
func crowd(order harness.Order, scale uint64, options ...actor.OptFunc) harness.Outcome {
	count := order.Count(1_000_000 / scale)
	engine := newEngine()
	var handled atomic.Uint64
	end := make(chan struct{})
	idler := func(ctx *actor.Context) {
		if _, ok := ctx.Message().(ball); ok && handled.Add(1) == count {
			close(end)
		}
	}
	idlers := make([]*actor.PID, count)
	before := harness.LiveBytes()
	spawning := harness.Start()
	for i := range idlers {
		idlers[i] = engine.SpawnFunc(idler, "idler", options...)
	}
	outcome := spawning.Duration("spawn all", float64(scale))
	outcome.Add(harness.MemoryOfEach(count, before))
	sending := harness.Start()
	for i, each := range idlers {
		engine.Send(each, ball(i))
	}
	<-end
	outcome.Add(sending.Duration("one message to each", float64(scale)).Figures...)
	outcome.Sent, outcome.Received = count, handled.Load()
	outcome.NoteScale("actors", 1_000_000, scale)
	return outcome
}

// skynet spawns ten of its kind, or is a leaf; it sends its sum to its parent and stops.
func skynet(parent *actor.PID, first, size uint64, options []actor.OptFunc) func(*actor.Context) {
	sum, answers := uint64(0), 0
	return func(ctx *actor.Context) {
		switch message := ctx.Message().(type) {
		case actor.Started:
			if size > 1 {
				part := size / 10
				for i := range uint64(10) {
					branch := skynet(ctx.PID(), first+i*part, part, options)
					ctx.Engine().SpawnFunc(branch, "skynet", options...)
				}
				return
			}
			sum = first
		case ball:
			sum += uint64(message)
			if answers++; answers < 10 {
				return
			}
		default:
			return
		}
		ctx.Send(parent, ball(sum))
		ctx.Engine().Poison(ctx.PID())
	}
}

// W7: skynet, with a scale of 10 on a tenth of the leaves.
func tree(order harness.Order, scale uint64, options ...actor.OptFunc) harness.Outcome {
	leaves := order.Count(1_000_000 / scale)
	engine := newEngine()
	end := make(chan uint64)
	top := engine.SpawnFunc(func(ctx *actor.Context) {
		if message, ok := ctx.Message().(ball); ok {
			end <- uint64(message)
		}
	}, "top")
	watch := harness.Start()
	engine.SpawnFunc(skynet(top, 0, leaves, options), "skynet", options...)
	sum := <-end
	outcome := watch.Duration("until the sum is known", float64(scale))
	outcome.Sent, outcome.Received = leaves*(leaves-1)/2, sum
	outcome.NoteScale("leaves", 1_000_000, scale)
	return outcome
}
