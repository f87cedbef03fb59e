// SPDX-License-Identifier: MIT

// Calls a node from Go, and is a small server that a program with costar calls.
//
// Usage: desk client ADDRESS | server
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"
	"capnproto.org/go/capnp/v3/rpc"

	"interop/desk"
	"interop/directory"
	"interop/values"
)

const (
	timedOut    = 2
	noSuchActor = 3
	noWireForm  = 15
)

func say(name string, good bool) {
	word := "failed"
	if good {
		word = "ok"
	}
	fmt.Printf("%s: %s\n", name, word)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// empty is the body of a message without fields.
func empty() []byte {
	message, segment, err := capnp.NewMessage(capnp.SingleSegment(nil))
	must(err)
	root, err := capnp.NewRootStruct(segment, capnp.ObjectSize{})
	must(err)
	must(message.SetRoot(root.ToPtr()))
	bytes, err := message.Marshal()
	must(err)
	return bytes
}

func hello(name string) []byte {
	message, segment, err := capnp.NewMessage(capnp.SingleSegment(nil))
	must(err)
	root, err := desk.NewRootHello(segment)
	must(err)
	must(root.SetName(name))
	bytes, err := message.Marshal()
	must(err)
	return bytes
}

func pour(count uint64) []byte {
	message, segment, err := capnp.NewMessage(capnp.SingleSegment(nil))
	must(err)
	root, err := desk.NewRootPour(segment)
	must(err)
	root.SetCount(count)
	bytes, err := message.Marshal()
	must(err)
	return bytes
}

// answer is what came of a request: its failure, the type and the bytes of its answer.
type answer struct {
	failure uint16
	kind    uint64
	body    []byte
}

func ask(ctx context.Context, who directory.Actor, kind uint64, body []byte, remaining time.Duration) (answer, error) {
	future, release := who.Ask(ctx, func(m directory.Message) error {
		m.SetType(kind)
		m.SetRemaining(uint64(remaining.Nanoseconds()))
		return m.SetBody(body)
	})
	defer release()
	came, err := future.Struct()
	if err != nil {
		return answer{}, err
	}
	bytes, err := came.Body()
	return answer{came.Failure(), came.Type(), append([]byte(nil), bytes...)}, err
}

func tell(ctx context.Context, who directory.Actor, kind uint64, body []byte) (uint16, error) {
	future, release := who.Tell(ctx, func(m directory.Message) error {
		m.SetType(kind)
		return m.SetBody(body)
	})
	defer release()
	came, err := future.Struct()
	if err != nil {
		return 0, err
	}
	return came.Failure(), nil
}

// actor finds an actor by its name. It may be used before it has been found.
func actor(ctx context.Context, node directory.Directory, name string) directory.Actor {
	future, _ := node.Actor(ctx, func(p directory.Directory_actor_Params) error { return p.SetName(name) })
	return future.Actor()
}

// releaseHeld has the actor answer what it holds; it gives how many answers nobody has waited for.
func releaseHeld(ctx context.Context, holder directory.Actor) uint64 {
	_, err := tell(ctx, holder, desk.Release_TypeID, empty())
	must(err)
	_, err = ask(ctx, holder, desk.Late_TypeID, empty(), 0) // comes behind those answers
	must(err)
	late, err := ask(ctx, holder, desk.Late_TypeID, empty(), 0)
	must(err)
	message, err := capnp.Unmarshal(late.body)
	must(err)
	number, err := values.ReadRootNatural(message)
	must(err)
	return number.Value()
}

// cancels gives up a request; it says whether the node has forgotten it.
func cancels(ctx context.Context, holder directory.Actor) bool {
	before := releaseHeld(ctx, holder)
	short, cancel := context.WithCancel(ctx)
	future, release := holder.Ask(short, func(m directory.Message) error {
		m.SetType(desk.Hold_TypeID)
		return m.SetBody(empty())
	})
	_, err := ask(ctx, holder, desk.Late_TypeID, empty(), 0) // there and back: it has arrived
	must(err)
	cancel()
	_, err = future.Struct()
	release()
	return err != nil && releaseHeld(ctx, holder) == before+1
}

func useActors(ctx context.Context, node directory.Directory) {
	host := actor(ctx, node, "host")
	came, err := ask(ctx, host, desk.Hello_TypeID, hello("go"), 0)
	must(err)
	message, err := capnp.Unmarshal(came.body)
	must(err)
	letters, err := values.ReadRootLetters(message)
	must(err)
	text, err := letters.Value()
	must(err)
	say("ask", came.failure == 0 && came.kind == values.Letters_TypeID && text == "hello go")
	failure, err := tell(ctx, host, desk.Hello_TypeID, hello("go"))
	say("tell", err == nil && failure == 0)

	found, release := node.Actor(ctx, func(p directory.Directory_actor_Params) error { return p.SetName("nobody") })
	defer release()
	came, err = ask(ctx, found.Actor(), desk.Hello_TypeID, hello("x"), 0)
	must(err)
	results, err := found.Struct()
	must(err)
	say("unknown actor", came.failure == noSuchActor && results.Failure() == noSuchActor)
	came, err = ask(ctx, host, 0x1234, nil, 0)
	say("unknown type", err == nil && came.failure == noWireForm)
	holder := actor(ctx, node, "holder")
	came, err = ask(ctx, holder, desk.Hold_TypeID, empty(), 20*time.Millisecond)
	say("deadline", err == nil && came.failure == timedOut)
	say("cancel", cancels(ctx, holder))
}

type callback struct{ sum uint64 }

func (*callback) Call(_ context.Context, call desk.Callback_call) error {
	text, err := call.Args().Text()
	if err != nil {
		return err
	}
	results, err := call.AllocResults()
	if err != nil {
		return err
	}
	return results.SetText("back: " + text)
}

func (c *callback) Push(_ context.Context, call desk.Callback_push) error {
	c.sum += call.Args().Value()
	return nil
}

func (c *callback) Done(_ context.Context, call desk.Callback_done) error {
	results, err := call.AllocResults()
	if err != nil {
		return err
	}
	results.SetSum(c.sum)
	return nil
}

// comesToHold says whether so much is held, sooner or later.
func comesToHold(ctx context.Context, offered desk.Desk, count uint64) bool {
	for i := 0; i < 10000; i++ {
		asked, done := offered.Holding(ctx, nil)
		now, err := asked.Struct()
		must(err)
		isSo := now.Count() == count
		done()
		if isSo {
			return true
		}
	}
	return false
}

// cancelsMethod gives up a call of a method; it says whether that has ended.
func cancelsMethod(ctx context.Context, offered desk.Desk) bool {
	short, cancel := context.WithCancel(ctx)
	held, done := offered.Hold(short, nil)
	wasHeld := comesToHold(ctx, offered, 1)
	cancel()
	_, err := held.Struct()
	done()
	return wasHeld && err != nil && comesToHold(ctx, offered, 0)
}

// beCalledBack has an actor call back, by what it was passed through the service.
func beCalledBack(ctx context.Context, node directory.Directory, offered desk.Desk) {
	enlisted, done := offered.Enlist(ctx, func(p desk.Desk_enlist_Params) error {
		if err := p.SetName("for go"); err != nil {
			return err
		}
		return p.SetBack(desk.Callback_ServerToClient(&callback{}))
	})
	_, err := enlisted.Struct()
	must(err)
	done()
	caller := actor(ctx, node, "for go")
	heard, err := ask(ctx, caller, desk.Hello_TypeID, hello("x"), 0)
	must(err)
	message, err := capnp.Unmarshal(heard.body)
	must(err)
	letters, err := values.ReadRootLetters(message)
	must(err)
	text, err := letters.Value()
	say("called back by an actor", err == nil && text == "back: actor: x")
	poured, err := ask(ctx, caller, desk.Pour_TypeID, pour(100), 0)
	must(err)
	message, err = capnp.Unmarshal(poured.body)
	must(err)
	number, err := values.ReadRootNatural(message)
	must(err)
	say("stream from an actor", number.Value() == 4950)
}

func isKind(err error, kind exc.Type) bool {
	var thrown *exc.Exception
	return errors.As(err, &thrown) && thrown.Type == kind
}

func useService(ctx context.Context, node directory.Directory) {
	find, release := node.Service(ctx, func(p directory.Directory_service_Params) error { return p.SetName("desk") })
	defer release()
	results, err := find.Struct()
	must(err)
	offered := desk.Desk(results.Service())
	greeted, done := offered.Greet(ctx, func(p desk.Desk_greet_Params) error { return p.SetName("go") })
	greeting, err := greeted.Struct()
	must(err)
	text, err := greeting.Text()
	say("service", err == nil && text == "hello go")
	done()

	for i := uint64(0); i < 100; i++ {
		must(offered.Push(ctx, func(p desk.Desk_push_Params) error { p.SetValue(i); return nil }))
	}
	must(offered.WaitStreaming())
	counted, done := offered.Done(ctx, nil)
	count, err := counted.Struct()
	must(err)
	say("stream", count.Count() == 100 && count.Sum() == 4950)
	done()

	rung, done := offered.Ring(ctx, func(p desk.Desk_ring_Params) error {
		if err := p.SetText("x"); err != nil {
			return err
		}
		return p.SetBack(desk.Callback_ServerToClient(&callback{}))
	})
	heard, err := rung.Struct()
	must(err)
	text, err = heard.Heard()
	say("callback", err == nil && text == "back: desk: x")
	done()
	beCalledBack(ctx, node, offered)
	say("cancelled method", cancelsMethod(ctx, offered))

	failed, done := offered.Fail(ctx, nil)
	_, err = failed.Struct()
	say("exception", isKind(err, exc.Failed))
	done()
	missing, done := node.Service(ctx, func(p directory.Directory_service_Params) error { return p.SetName("nothing") })
	nothing, err := missing.Struct()
	say("unknown service", err == nil && nothing.Failure() == noSuchActor)
	done()

	held, done := offered.Hold(ctx, nil)
	defer done()
	began := time.Now()
	_, _ = tell(ctx, actor(ctx, node, "end"), desk.Cut_TypeID, empty()) // which may be answered, or not any more
	_, cut := held.Struct()
	after, done := offered.Done(ctx, nil)
	defer done()
	_, later := after.Struct()
	say("cut off", isKind(cut, exc.Disconnected) && isKind(later, exc.Disconnected) && time.Since(began) < 5*time.Second)
}

type server struct {
	count, sum uint64
	held       atomic.Int64
}

func (*server) Greet(_ context.Context, call desk.Desk_greet) error {
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	results, err := call.AllocResults()
	if err != nil {
		return err
	}
	return results.SetText("hello " + name)
}

func (s *server) Push(_ context.Context, call desk.Desk_push) error {
	s.count++
	s.sum += call.Args().Value()
	return nil
}

func (s *server) Done(_ context.Context, call desk.Desk_done) error {
	results, err := call.AllocResults()
	if err != nil {
		return err
	}
	results.SetCount(s.count)
	results.SetSum(s.sum)
	return nil
}

func (*server) Ring(ctx context.Context, call desk.Desk_ring) error {
	text, err := call.Args().Text()
	if err != nil {
		return err
	}
	back := call.Args().Back()
	future, release := back.Call(ctx, func(p desk.Callback_call_Params) error { return p.SetText("desk: " + text) })
	defer release()
	came, err := future.Struct()
	if err != nil {
		return err
	}
	heard, err := came.Text()
	if err != nil {
		return err
	}
	results, err := call.AllocResults()
	if err != nil {
		return err
	}
	return results.SetHeard(heard)
}

func (*server) Fail(context.Context, desk.Desk_fail) error { return errors.New("no") }

// Hold leaves its place in the queue of calls, and waits until the caller gives up.
func (s *server) Hold(ctx context.Context, call desk.Desk_hold) error {
	s.held.Add(1)
	defer s.held.Add(-1)
	call.Go()
	<-ctx.Done()
	return ctx.Err()
}

func (s *server) Holding(_ context.Context, call desk.Desk_holding) error {
	results, err := call.AllocResults()
	if err != nil {
		return err
	}
	results.SetCount(uint64(s.held.Load()))
	return nil
}

func (*server) Enlist(context.Context, desk.Desk_enlist) error { return errors.New("there are no actors") }

func client(address string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	socket, err := net.Dial("tcp", address)
	must(err)
	connection := rpc.NewConn(rpc.NewStreamTransport(socket), nil)
	node := directory.Directory(connection.Bootstrap(ctx))
	useActors(ctx, node)
	useService(ctx, node)
}

func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println(listener.Addr())
	time.AfterFunc(time.Minute, func() { os.Exit(0) })
	for {
		socket, err := listener.Accept()
		must(err)
		rpc.NewConn(rpc.NewStreamTransport(socket), &rpc.Options{
			BootstrapClient: capnp.Client(desk.Desk_ServerToClient(&server{})),
		})
	}
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "client" {
		client(os.Args[2])
	} else {
		serve()
	}
}
