// SPDX-License-Identifier: MIT

package main

import (
	"sync"
	"sync/atomic"

	harness "costar/benchmarks/peers/go_harness"

	"github.com/asynkron/protoactor-go/actor"
)

// W4: actors that wait, then one message to each.
func crowd(order harness.Order) harness.Outcome {
	count := order.Count(1_000_000)
	root := newRoot()
	var started sync.WaitGroup
	started.Add(int(count))
	var handled atomic.Uint64
	end := make(chan struct{})
	idler := actor.PropsFromFunc(func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case *actor.Started:
			started.Done()
		case ball:
			if handled.Add(1) == count {
				close(end)
			}
		}
	})
	idlers := make([]*actor.PID, count)
	before := harness.LiveBytes()
	spawning := harness.Start()
	for i := range idlers {
		idlers[i] = root.Spawn(idler)
	}
	started.Wait()
	outcome := spawning.Duration("spawn all", 1)
	outcome.Add(harness.MemoryOfEach(count, before))
	sending := harness.Start()
	for i, each := range idlers {
		root.Send(each, ball(i))
	}
	<-end
	outcome.Add(sending.Duration("one message to each", 1).Figures...)
	outcome.Sent, outcome.Received = count, handled.Load()
	return outcome
}

// skynet spawns ten of its kind, or is a leaf; it sends its sum to its parent and stops.
func skynet(first, size uint64) *actor.Props {
	sum, answers := uint64(0), 0
	return actor.PropsFromFunc(func(ctx actor.Context) {
		switch message := ctx.Message().(type) {
		case *actor.Started:
			if size > 1 {
				part := size / 10
				for i := range uint64(10) {
					ctx.Spawn(skynet(first+i*part, part))
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
		ctx.Send(ctx.Parent(), ball(sum))
		ctx.Stop(ctx.Self())
	})
}

// W7: skynet.
func tree(order harness.Order) harness.Outcome {
	leaves := order.Count(1_000_000)
	root := newRoot()
	end := make(chan uint64)
	watch := harness.Start()
	root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch message := ctx.Message().(type) {
		case *actor.Started:
			ctx.Spawn(skynet(0, leaves))
		case ball:
			end <- uint64(message)
		}
	}))
	sum := <-end
	outcome := watch.Duration("until the sum is known", 1)
	outcome.Sent, outcome.Received = leaves*(leaves-1)/2, sum
	return outcome
}
