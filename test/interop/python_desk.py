# SPDX-License-Identifier: MIT
"""Calls a node from Python, and is a small server that a program with costar calls.

Usage: python_desk.py client ADDRESS | server
"""

import asyncio
import pathlib
import sys
import time

import capnp

HERE = pathlib.Path(__file__).resolve().parent
SCHEMAS = [str(HERE.parents[1] / "schemas"), str(pathlib.Path(capnp.__file__).parents[1])]
directory = capnp.load(str(HERE.parents[1] / "schemas/costar/directory.capnp"), imports=SCHEMAS)
values = capnp.load(str(HERE.parents[1] / "schemas/costar/values.capnp"), imports=SCHEMAS)
desk = capnp.load(str(HERE / "desk.capnp"), imports=SCHEMAS)

TIMED_OUT, NO_SUCH_ACTOR, NO_WIRE_FORM = 2, 3, 15


def message(kind, **fields):
    """The parameters of tell and ask: a message with this type and these fields."""
    return {"type": kind.schema.node.id, "body": kind.new_message(**fields).to_bytes()}


def said(case, good):
    print(f"{case}: {'ok' if good else 'failed'}", flush=True)


class Callback(desk.Callback.Server):
    def __init__(self):
        self.sum = 0

    async def call(self, text, **_):
        return "back: " + text

    async def push(self, value, **_):
        self.sum += value

    async def done(self, **_):
        return self.sum


async def fails(promise):
    """The kind of failure that a call ends with, and how long that took; nothing where it succeeds."""
    began = time.monotonic()
    try:
        await promise
        return None, 0
    except capnp.KjException as failure:
        return failure.type, time.monotonic() - began


async def release(holder):
    """Has the actor answer what it holds, and gives how many answers nobody has waited for."""
    await holder.tell(**message(desk.Release))
    await holder.ask(**message(desk.Late))  # comes behind those answers
    late = await holder.ask(**message(desk.Late))
    with values.Natural.from_bytes(late.body) as number:
        return number.value


async def cancels(holder):
    """Cancels a request: has the node forgotten it?"""
    before = await release(holder)
    held = asyncio.ensure_future(asking(holder, message(desk.Hold)))
    await asyncio.sleep(0)
    await holder.ask(**message(desk.Late))  # there and back: it has arrived
    held.cancel()
    await holder.ask(**message(desk.Late))  # the loop runs meanwhile, and sends what says so
    return await release(holder) == before + 1


async def asking(actor, what):
    return await actor.ask(**what)


async def comes_to_hold(offered, count):
    """Is so much held, sooner or later?"""
    for _ in range(10_000):
        if (await offered.holding()).count == count:
            return True
    return False


async def holding(offered):
    await offered.hold()


async def cancels_method(offered):
    """Gives up a call of a method: has it ended?"""
    held = asyncio.ensure_future(holding(offered))
    was_held = await comes_to_hold(offered, 1)
    held.cancel()
    return was_held and await comes_to_hold(offered, 0)


async def be_called_back(node, offered):
    """An actor calls back, by what it was passed through the service."""
    await offered.enlist("for python", Callback())
    caller = node.actor("for python").actor
    answer = await caller.ask(**message(desk.Hello, name="x"))
    with values.Letters.from_bytes(answer.body) as letters:
        said("called back by an actor", letters.value == "back: actor: x")
    answer = await caller.ask(**message(desk.Pour, count=100))
    with values.Natural.from_bytes(answer.body) as number:
        said("stream from an actor", number.value == 4950)


async def client(address):
    host, port = address.rsplit(":", 1)
    stream = await capnp.AsyncIoStream.create_connection(host=host, port=int(port))
    node = capnp.TwoPartyClient(stream).bootstrap().cast_as(directory.Directory)

    host = (await node.actor("host")).actor
    answer = await host.ask(**message(desk.Hello, name="python"))
    with values.Letters.from_bytes(answer.body) as letters:
        said("ask", answer.failure == 0 and answer.type == values.Letters.schema.node.id
             and letters.value == "hello python")
    told = await host.tell(**message(desk.Hello, name="python"))
    said("tell", told.failure == 0)

    answer = await node.actor("nobody").actor.ask(**message(desk.Hello, name="x"))
    found = await node.actor("nobody")
    said("unknown actor", answer.failure == NO_SUCH_ACTOR and found.failure == NO_SUCH_ACTOR)
    answer = await host.ask(type=0x1234, body=b"")
    said("unknown type", answer.failure == NO_WIRE_FORM)
    holder = node.actor("holder").actor
    answer = await holder.ask(**message(desk.Hold), remaining=20_000_000)
    said("deadline", answer.failure == TIMED_OUT)
    said("cancel", await cancels(holder))

    offered = (await node.service("desk")).service.as_interface(desk.Desk)
    said("service", (await offered.greet("python")).text == "hello python")
    for value in range(100):
        await offered.push(value)
    done = await offered.done()
    said("stream", done.count == 100 and done.sum == 4950)
    said("callback", (await offered.ring(Callback(), "x")).heard == "back: desk: x")
    await be_called_back(node, offered)
    said("cancelled method", await cancels_method(offered))
    kind, _ = await fails(offered.fail())
    said("exception", kind == "FAILED")
    said("unknown service", (await node.service("nothing")).failure == NO_SUCH_ACTOR)

    held = offered.hold()
    await fails(node.actor("end").actor.tell(**message(desk.Cut)))  # which may be answered, or not any more
    kind, seconds = await fails(held)
    later, _ = await fails(host.tell(**message(desk.Hello, name="x")))
    said("cut off", kind == "DISCONNECTED" and later == "DISCONNECTED" and seconds < 5)


class Desk(desk.Desk.Server):
    def __init__(self):
        self.count = self.sum = self.held = 0

    async def greet(self, name, **_):
        return "hello " + name

    async def push(self, value, **_):
        self.count += 1
        self.sum += value

    async def done(self, **_):
        return self.count, self.sum

    async def ring(self, back, text, **_):
        return (await back.call("desk: " + text)).text

    async def fail(self, **_):
        raise ValueError("no")

    async def hold(self, **_):
        self.held += 1
        try:
            await asyncio.sleep(60)
        finally:
            self.held -= 1

    async def holding(self, **_):
        return self.held


async def serve(stream):
    await capnp.TwoPartyServer(stream, bootstrap=Desk()).on_disconnect()


async def server():
    accepting = await capnp.AsyncIoStream.create_server(serve, host="127.0.0.1", port=0)
    print("127.0.0.1:%d" % accepting.sockets[0].getsockname()[1], flush=True)
    async with accepting:
        await asyncio.wait_for(accepting.serve_forever(), 60)


asyncio.run(capnp.run(client(sys.argv[2]) if sys.argv[1] == "client" else server()))
