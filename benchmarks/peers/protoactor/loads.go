// SPDX-License-Identifier: MIT

package main

import (
	harness "costar/benchmarks/peers/go_harness"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// R4: messages of 1 MB, each of which is acknowledged.
func loads(order harness.Order) harness.Outcome {
	count := order.Count(2000)
	second, root, target := pair()
	load := wrapperspb.Bytes(make([]byte, harness.LoadBytes))
	ends := make(chan uint64)
	sent, received := uint64(0), uint64(0)
	watch := harness.Start()
	root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch message := ctx.Message().(type) {
		case *wrapperspb.UInt64Value:
			if message.Value == harness.LoadBytes {
				received++
			}
			if received == count {
				ends <- received
			}
		case *actor.Started:
		default:
			return
		}
		for ; sent < count && sent-received < harness.LoadsMax; sent++ {
			ctx.Request(target, load)
		}
	}))
	total := <-ends
	outcome := watch.Rate("bytes", "B/s", count*harness.LoadBytes)
	outcome.Sent, outcome.Received = count, total
	second.End(&outcome)
	return outcome
}
