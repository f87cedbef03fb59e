// SPDX-License-Identifier: MIT

package main

import (
	"math/rand"
	"strconv"
	"sync/atomic"
	"time"

	harness "costar/benchmarks/peers/go_harness"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// newNode makes an actor system that others reach.
func newNode() *actor.RootContext {
	root := newRoot()
	remote.NewRemote(root.ActorSystem(), remote.Configure("127.0.0.1", 0,
		remote.WithServerOptions(grpc.MaxRecvMsgSize(harness.EnvelopesMax)))).Start()
	return root
}

// serve is the second process: one actor, which answers with the number that comes after, or how many bytes
// have come.
func serve() string {
	pid, err := newNode().SpawnNamed(actor.PropsFromFunc(func(ctx actor.Context) {
		switch message := ctx.Message().(type) {
		case *wrapperspb.UInt64Value:
			ctx.Respond(wrapperspb.UInt64(message.Value + 1))
		case *wrapperspb.BytesValue:
			ctx.Respond(wrapperspb.UInt64(uint64(len(message.Value))))
		}
	}), "server")
	harness.Check(err)
	return pid.Address + " " + pid.Id
}

// R1: ten nodes in one process.
func tenNodes(order harness.Order) harness.Outcome {
	const nodes, actors, senders = 10, 2000, 20
	var received atomic.Uint64
	all := make([]*actor.RootContext, nodes)
	residents := make([][]*actor.PID, nodes)
	resident := actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*wrapperspb.StringValue); ok {
			received.Add(1)
		}
	})
	for i := range all {
		all[i] = newNode()
		for j := range actors {
			pid, err := all[i].SpawnNamed(resident, "resident"+strconv.Itoa(j))
			harness.Check(err)
			residents[i] = append(residents[i], pid)
		}
	}
	return harness.Flood(order, senders, &received, func() {
		from := rand.Intn(nodes)
		to := (from + 1 + rand.Intn(nodes-1)) % nodes
		all[from].Send(residents[to][rand.Intn(actors)], wrapperspb.String(""))
	})
}

// pair is a node beside which there is another one.
func pair() (*harness.Second, *actor.RootContext, *actor.PID) {
	second := harness.StartSecond()
	return second, newNode(), actor.NewPID(second.Address[0], second.Address[1])
}

// R2: pings from one actor, and as many pongs.
func pings(order harness.Order) harness.Outcome {
	count := order.Count(1_000_000)
	second, root, target := pair()
	ends := make(chan uint64)
	counted := uint64(0)
	watch := harness.Start()
	root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case *actor.Started:
			for i := range count {
				ctx.Request(target, wrapperspb.UInt64(i))
			}
		case *wrapperspb.UInt64Value:
			if counted++; counted == count {
				ends <- counted
			}
		}
	}))
	received := <-ends
	outcome := watch.Rate("messages", "msg/s", 2*count)
	outcome.Sent, outcome.Received = count, received
	second.End(&outcome)
	return outcome
}

func askNode(root *actor.RootContext, server *actor.PID, number uint64) uint64 {
	reply, err := root.RequestFuture(server, wrapperspb.UInt64(number), time.Minute).Result()
	harness.Check(err)
	return reply.(*wrapperspb.UInt64Value).Value
}

// R3: requests one after the other.
func remoteAsks(order harness.Order) harness.Outcome {
	count := order.Count(20_000)
	took := make([]time.Duration, count)
	second, root, target := pair()
	received := uint64(0)
	watch := harness.Start()
	for i := range count {
		begin := time.Now()
		reply := askNode(root, target, i)
		took[i] = time.Since(begin)
		received += reply - i
	}
	outcome := watch.Percentiles(took)
	outcome.Sent, outcome.Received = count, received
	second.End(&outcome)
	return outcome
}

// R3b: 64 goroutines, each with one request outstanding.
func manyRemoteAsks(order harness.Order) harness.Outcome {
	const clients = 64
	count := order.Count(200_000) / clients
	second, root, target := pair()
	ends := make(chan uint64, clients)
	watch := harness.Start()
	for range clients {
		go func() {
			received := uint64(0)
			for i := range count {
				received += askNode(root, target, i) - i
			}
			ends <- received
		}()
	}
	received := harness.Sum(ends, clients)
	outcome := watch.Rate("asks", "asks/s", clients*count)
	outcome.Sent, outcome.Received = clients*count, received
	second.End(&outcome)
	return outcome
}
