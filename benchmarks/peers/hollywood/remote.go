// SPDX-License-Identifier: MIT

package main

import (
	"math/rand"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	harness "costar/benchmarks/peers/go_harness"

	"github.com/anthdm/hollywood/actor"
	"github.com/anthdm/hollywood/remote"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// newNode makes an engine that others reach. Hollywood has to know its port beforehand.
func newNode() *actor.Engine {
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(err)
	address := probe.Addr().String()
	harness.Check(probe.Close())
	engine, err := actor.NewEngine(actor.NewEngineConfig().WithRemote(
		remote.New(address, remote.NewConfig().WithBufferSize(harness.EnvelopesMax))))
	harness.Check(err)
	return engine
}

// serve is the second process: one actor, which answers with the number that comes after, or how many bytes
// have come.
func serve() string {
	pid := newNode().SpawnFunc(func(ctx *actor.Context) {
		switch message := ctx.Message().(type) {
		case *wrapperspb.UInt64Value:
			ctx.Respond(wrapperspb.UInt64(message.Value + 1))
		case *wrapperspb.BytesValue:
			ctx.Respond(wrapperspb.UInt64(uint64(len(message.Value))))
		}
	}, "server", actor.WithID("1"))
	return pid.Address + " " + pid.ID
}

// R1: ten nodes, as in Hollywood's own benchmark.
func tenNodes(order harness.Order) harness.Outcome {
	const engines, actors, senders = 10, 2000, 20
	var received atomic.Uint64
	all := make([]*actor.Engine, engines)
	residents := make([][]*actor.PID, engines)
	for i := range all {
		all[i] = newNode()
		for j := range actors {
			residents[i] = append(residents[i], all[i].SpawnFunc(func(ctx *actor.Context) {
				if _, ok := ctx.Message().(*wrapperspb.StringValue); ok {
					received.Add(1)
				}
			}, "resident", actor.WithID(strconv.Itoa(j))))
		}
	}
	return harness.Flood(order, senders, &received, func() {
		from := rand.Intn(engines)
		to := (from + 1 + rand.Intn(engines-1)) % engines
		all[from].Send(residents[to][rand.Intn(actors)], wrapperspb.String(""))
	})
}

// pair is a node beside which there is another one.
func pair() (*harness.Second, *actor.Engine, *actor.PID) {
	second := harness.StartSecond()
	return second, newNode(), actor.NewPID(second.Address[0], second.Address[1])
}

// R2: pings from one actor, and as many pongs.
func pings(order harness.Order) harness.Outcome {
	count := order.Count(1_000_000)
	second, engine, target := pair()
	ends := make(chan uint64)
	watch := harness.Start()
	counted := uint64(0)
	engine.SpawnFunc(func(ctx *actor.Context) {
		switch ctx.Message().(type) {
		case actor.Started:
			for i := range count {
				ctx.Send(target, wrapperspb.UInt64(i))
			}
		case *wrapperspb.UInt64Value:
			if counted++; counted == count {
				ends <- counted
			}
		}
	}, "pinger")
	received := <-ends
	outcome := watch.Rate("messages", "msg/s", 2*count)
	outcome.Sent, outcome.Received = count, received
	second.End(&outcome)
	return outcome
}

func askNode(engine *actor.Engine, server *actor.PID, number uint64) uint64 {
	reply, err := engine.Request(server, wrapperspb.UInt64(number), time.Minute).Result()
	harness.Check(err)
	return reply.(*wrapperspb.UInt64Value).Value
}

// R3: requests one after the other.
func remoteAsks(order harness.Order) harness.Outcome {
	count := order.Count(20_000)
	took := make([]time.Duration, count)
	second, engine, target := pair()
	received := uint64(0)
	watch := harness.Start()
	for i := range count {
		begin := time.Now()
		reply := askNode(engine, target, i)
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
	second, engine, target := pair()
	ends := make(chan uint64, clients)
	watch := harness.Start()
	for range clients {
		go func() {
			received := uint64(0)
			for i := range count {
				received += askNode(engine, target, i) - i
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
