#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the account service against many clients, good and bad ones, and checks what it promises.

Usage: service_test.py SERVICE
"""

import asyncio
import json
import os
import random
import re
import signal
import struct
import sys
import time

REQUEST_LIMIT = 1.0  # seconds; what the service is started with
IDLE_LIMIT = 3.0
ACCOUNTS = [f"a{number}" for number in range(12)]
CLIENTS = 24
STEPS = 120
SECONDS = 60  # at most, for all of it; it takes a tenth of that
UPGRADE = ("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: Y29zdGFyIHNheXMgaGk=\r\n")

checks = 0


def check(is_so, what):
    global checks
    checks += 1
    if not is_so:
        raise AssertionError(what)


class Service:
    """The service, on a free port."""

    started = []

    def __init__(self, program):
        self.program = program
        Service.started.append(self)

    async def start(self, *arguments):
        self.process = await asyncio.create_subprocess_exec(
            self.program, "--port", "0", *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
        self.printed = []
        first = (await self.process.stdout.readline()).decode()
        self.port = int(re.search(r"http://127\.0\.0\.1:(\d+)", first)[1])
        self.reading = asyncio.create_task(self.read())
        return self

    async def read(self):
        while line := await self.process.stdout.readline():
            self.printed.append(line.decode().rstrip())

    async def end(self, number=None):
        if number is not None:
            self.process.send_signal(number)
        code = await asyncio.wait_for(self.process.wait(), 10)
        await self.reading
        return code

    def kill(self):
        if self.process.returncode is None:
            self.process.kill()


async def run(program, *arguments):
    """Runs the program to its end: exit code, what it said."""
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, said = await asyncio.wait_for(process.communicate(), 10)
    return process.returncode, out.decode(), said.decode()


def text_of(method, target, body=None, headers=""):
    content = "" if body is None else body if isinstance(body, str) else json.dumps(body)
    length = f"Content-Length: {len(content)}\r\n" if method == "POST" else ""
    return f"{method} {target} HTTP/1.1\r\nHost: test\r\n{length}{headers}\r\n{content}".encode()


class Client:
    """A connection that is kept alive."""

    def __init__(self, port):
        self.port = port
        self.writer = None

    async def connect(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def read_answer(self, has_body=True):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status = int(head.split(" ")[1])
        self.head = head.lower()
        length = re.search(r"content-length: (\d+)", self.head)
        body = await self.reader.readexactly(int(length[1])) if length and has_body else b""
        return status, json.loads(body) if body else None

    async def ask(self, method, target, body=None, headers=""):
        if self.writer is None:
            await self.connect()
        self.writer.write(text_of(method, target, body, headers))
        return await self.read_answer(method != "HEAD")

    async def post(self, target, body):
        return await self.ask("POST", target, body)

    async def get(self, target):
        return await self.ask("GET", target)

    async def is_closed(self):
        return await self.reader.read(1) == b""

    def close(self):
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def vanish(self):
        """Closes with a reset, as a process that was killed."""
        self.writer.get_extra_info("socket").setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER
        self.writer.transport.abort()
        self.writer = None


class Watcher(Client):
    """A WebSocket client that collects the balances it is told."""

    async def open(self, account):
        await self.connect()
        self.writer.write(text_of(
            "GET", f"/accounts/{account}/watch",
            headers=UPGRADE))
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        check(" 101 " in head, f"watching is an upgrade: {head}")
        self.balances = []
        self.close_code = None
        self.collecting = asyncio.create_task(self.collect())
        return self

    async def read_frame(self):
        first, second = await self.reader.readexactly(2)
        length = second & 127
        if length == 126:
            length = struct.unpack(">H", await self.reader.readexactly(2))[0]
        return first & 15, await self.reader.readexactly(length)

    def write_frame(self, kind, payload):
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.writer.write(bytes([128 | kind, 128 | len(payload)]) + mask + masked)

    async def collect(self):
        try:
            while True:
                kind, payload = await self.read_frame()
                if kind == 1:
                    self.balances.append(json.loads(payload)["balance"])
                elif kind == 8:
                    self.close_code = struct.unpack(">H", payload[:2])[0]
                    self.write_frame(8, payload[:2])
                    return
                elif kind == 9:
                    self.write_frame(10, payload)
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    async def wait_for(self, balance):
        for _ in range(500):
            if self.balances and self.balances[-1] == balance:
                return
            await asyncio.sleep(0.01)
        check(False, f"the watcher is told {balance} at last, and not only {self.balances[-3:]}")


async def bad_arguments_are_refused(program, port):
    for arguments, word in (
            (["--port", "x"], "--port"), (["--port", "70000"], "--port"), (["--wrong"], "--wrong"),
            (["--for", "5x"], "5x"), (["--for", "-1s"], "-1s"), (["--strands", "0"], "--strands")):
        code, _, said = await run(program, *arguments)
        is_refused = code == 2 and word in said and said.count("\n") == 1
        check(is_refused, f"{arguments}: exit {code}, said {said!r}")
    code, out, _ = await run(program, "--help")
    check(code == 0 and "--port" in out, "--help explains itself")
    code, _, said = await run(program, "--port", str(port))
    is_refused = code == 2 and str(port) in said and said.count("\n") == 1
    check(is_refused, f"a port in use: exit {code}, said {said!r}")


async def routes_answer(port):
    client = Client(port)
    check(await client.post("/accounts/ann/deposit", {"amount": 100}) ==
          (200, {"account": "ann", "balance": 100}), "a deposit opens an account")
    check((await client.post("/accounts/ben/deposit", {"amount": 1}))[0] == 200, "another account")
    check(await client.post("/transfers", {"from": "ann", "to": "ben", "amount": 40}) ==
          (200, {"from": "ann", "to": "ben", "amount": 40, "balance": 60}), "a transfer")
    check(await client.get("/accounts/ben") == (200, {"account": "ben", "balance": 41}), "what arrived")
    check((await client.post("/accounts/ben/crash", ""))[0] == 202, "a crash")
    check(await client.get("/accounts/%62en") == (200, {"account": "ben", "balance": 41}), "after a crash")
    status, stats = await client.get("/stats")
    check(status == 200, "stats")
    check((stats["accounts"], stats["deposited"], stats["restarts"]) == (2, 101, 1), stats)
    check(await client.ask("HEAD", "/accounts/ben") == (200, None), "HEAD has no body")
    client.close()


async def bad_requests_are_refused(port):
    client = Client(port)
    maximum = 2**63 - 1
    for body in ('{"amount":', "", "[]", "7", "{}", '{"amount": 1} x', '{"amount": 0}', '{"amount": -5}',
                 '{"amount": 1.5}', '{"amount": "1"}', '{"amount": null}', '{"amount": 1e3}',
                 '{"amount": 9223372036854775808}', '{"amount": 99999999999999999999999}', "[" * 5000,
                 '{"amount": NaN}', '{"amount": 1,}'):
        status, said = await client.post("/accounts/ann/deposit", body)
        check(status == 400 and said["error"], f"deposit {body[:40]}: {status} {said}")
    status, _ = await client.post("/accounts/ann/deposit", {"amount": maximum})
    check(status == 400, "a balance cannot overflow")
    for order, expected in (
            ({"from": "ann", "to": "ben", "amount": 61}, 409),
            ({"from": "ann", "to": "nobody", "amount": 1}, 404),
            ({"from": "nobody", "to": "ann", "amount": 1}, 404),
            ({"from": "ann", "to": "ann", "amount": 1}, 400),
            ({"from": "ann", "to": "ben", "amount": -1}, 400), ({"from": "ann", "amount": 1}, 400),
            ({"from": 1, "to": "ben", "amount": 1}, 400), ({"from": "a b", "to": "ben", "amount": 1}, 400)):
        status, said = await client.post("/transfers", order)
        check(status == expected and said["error"], f"transfer {order}: {status} {said}")
    for method, target, expected in (
            ("GET", "/accounts/nobody", 404), ("POST", "/accounts/nobody/crash", 404),
            ("GET", "/nothing", 404), ("GET", "/", 404), ("GET", "/accounts", 404),
            ("GET", "/accounts/ann/more/of/it", 404),
            ("GET", "/accounts/a%20b", 400), ("GET", "/accounts/" + "x" * 65, 400),
            ("GET", "/accounts/%zz", 400),
            ("GET", "/accounts/ann/deposit", 405), ("PUT", "/accounts/ann", 405), ("POST", "/stats", 405),
            ("DELETE", "/transfers", 405), ("GET", "/accounts/ann/watch", 426)):
        status, said = await client.ask(method, target)
        check(status == expected and said["error"], f"{method} {target}: {status} {said}")
        check(status != 405 or "allow: " in client.head, "405 says what is allowed")
    check((await client.get("/accounts/ann"))[1]["balance"] == 60, "nothing was changed")
    client.close()

    large = "x" * 100_000
    for request in (text_of("POST", "/accounts/ann/deposit", large),
                    text_of("POST", "/accounts/ann/deposit", None, "Transfer-Encoding: chunked\r\n").replace(
                        b"Content-Length: 0\r\n", b"") + b"186a0\r\n" + large.encode() + b"\r\n0\r\n\r\n"):
        await client.connect()
        client.writer.write(request)
        status, said = await client.read_answer()
        check(status == 413 and said["error"] and await client.is_closed(), f"a large body: {status}")
        client.close()
    await client.connect()
    client.writer.write(text_of("GET", "/stats", headers="X: " + "x" * 10_000 + "\r\n"))
    check((await client.read_answer())[0] == 431, "a large header")
    client.close()
    for rubbish in (
            b"\x16\x03\x01\x02\x00\x01\x00", b"what?\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 9):
        await client.connect()
        client.writer.write(rubbish + b"\r\n\r\n")
        check((await client.read_answer())[0] == 400 and await client.is_closed(), f"rubbish: {rubbish}")
        client.close()
    await client.connect()
    client.writer.write(text_of("GET", "/accounts/nobody/watch", headers=UPGRADE))
    check((await client.read_answer())[0] == 404, "nobody can be watched")
    client.close()


async def connections_are_kept(port):
    client = await Client(port).connect()
    order = [text_of("POST", "/accounts/pip/deposit", {"amount": 1}) for _ in range(50)]
    client.writer.write(b"".join(order))
    balances = [(await client.read_answer())[1]["balance"] for _ in order]
    check(balances == list(range(1, 51)), f"requests in one packet are answered in order: {balances}")
    for byte in text_of("GET", "/accounts/pip"):
        client.writer.write(bytes([byte]))
        await client.writer.drain()
        await asyncio.sleep(0)
    check((await client.read_answer())[1]["balance"] == 50, "a request in single bytes")
    status, _ = await client.ask("GET", "/stats", headers="Connection: close\r\n")
    check(status == 200 and "connection: close" in client.head, "Connection: close is answered")
    check(await client.is_closed(), "and done")
    client.close()
    await client.connect()
    client.writer.write(b"GET /stats HTTP/1.0\r\n\r\n")
    check((await client.read_answer())[0] == 200 and await client.is_closed(), "HTTP/1.0 closes")
    client.close()
    await client.connect()
    body = '{"amount": 1}'
    request = text_of("POST", "/accounts/pip/deposit", body, "Expect: 100-continue\r\n")
    client.writer.write(request[:-len(body)])
    check(await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n", "100 Continue")
    client.writer.write(body.encode())
    check((await client.read_answer())[1]["balance"] == 51, "the body after 100 Continue")
    client.close()


async def slow_clients_are_cut(port):
    async def send_slowly(text):
        client = await Client(port).connect()
        began = time.monotonic()
        closed = asyncio.create_task(client.reader.read())
        try:
            for byte in text:
                if closed.done():
                    break
                client.writer.write(bytes([byte]))
                await asyncio.wait([closed], timeout=0.3)
            said = await asyncio.wait_for(closed, IDLE_LIMIT * 3)
        finally:
            client.close()
        return time.monotonic() - began, said

    (header, said), (idle, nothing) = await asyncio.gather(
        send_slowly(text_of("GET", "/stats")), send_slowly(b""))
    check(REQUEST_LIMIT * 0.9 < header < REQUEST_LIMIT * 3, f"a slow header was cut after {header} s")
    check(b" 408 " in said, f"a slow client is told: {said}")
    check(IDLE_LIMIT * 0.9 < idle < IDLE_LIMIT * 2, f"an idle connection was cut after {idle} s")
    check(nothing == b"", f"an idle client is told nothing: {nothing}")


async def a_slow_body_is_cut(port):
    client = await Client(port).connect()
    began = time.monotonic()
    client.writer.write(text_of("POST", "/accounts/ann/deposit", {"amount": 1})[:-3])
    check((await client.read_answer())[0] == 408 and await client.is_closed(), "a slow body")
    check(REQUEST_LIMIT * 0.9 < time.monotonic() - began < REQUEST_LIMIT * 3, "in time")
    client.close()


async def money_stays(port):
    """Deposits, transfers, crashes and vanishing clients at once; then the balances are added up."""
    known = [0]   # deposited for certain
    maybe = [0]   # deposited by clients that did not wait for the answer
    refused = [0]
    going_on = [True]
    setup = Client(port)
    _, first = await setup.get("/stats")
    for name in ACCOUNTS:
        check((await setup.post(f"/accounts/{name}/deposit", {"amount": 1000}))[0] == 200, "opened")
        known[0] += 1000

    async def customer(seed):
        draw = random.Random(seed)
        client = Client(port)
        for _ in range(STEPS):
            kind = draw.random()
            amount = draw.randint(1, 400)
            if kind < 0.3:
                name = draw.choice(ACCOUNTS)
                status, said = await client.post(f"/accounts/{name}/deposit", {"amount": amount})
                check(status == 200, f"deposit under load: {status} {said}")
                known[0] += amount
            elif kind < 0.8:
                payer, payee = draw.sample(ACCOUNTS, 2)
                order = {"from": payer, "to": payee, "amount": amount * draw.choice([1, 1, 10])}
                status, said = await client.post("/transfers", order)
                check(status in (200, 409), f"transfer under load: {status} {said}")
                refused[0] += status == 409
            else:
                status, said = await client.get(f"/accounts/{draw.choice(ACCOUNTS)}")
                check(status == 200 and said["balance"] >= 0, f"read under load: {status} {said}")
        client.close()

    async def saboteur(seed):
        draw = random.Random(seed)
        client = Client(port)
        while going_on[0]:
            when = draw.choice(["", "?after=step", "?after=step"])
            status, _ = await client.post(f"/accounts/{draw.choice(ACCOUNTS)}/crash{when}", "")
            check(status == 202, f"crash under load: {status}")
            await asyncio.sleep(0.001)
        client.close()

    async def deserter(seed):
        draw = random.Random(seed)
        while going_on[0]:
            client = await Client(port).connect()
            payer, payee = draw.sample(ACCOUNTS, 2)
            deposit = text_of("POST", f"/accounts/{payer}/deposit", {"amount": 3})
            order = text_of("POST", "/transfers", {"from": payer, "to": payee, "amount": 5})
            kind = draw.random()
            if kind < 0.3:
                client.writer.write(deposit)
                maybe[0] += 3
            elif kind < 0.6:
                client.writer.write(order * 3)
            else:
                client.writer.write(draw.choice([deposit, order])[:draw.randint(1, 70)])  # never all of it
            if draw.random() < 0.5:
                await asyncio.sleep(0.001)
            client.vanish()
            await asyncio.sleep(0.002)

    pests = [asyncio.create_task(pest(seed)) for pest in (saboteur, deserter) for seed in range(2)]
    await asyncio.gather(*(customer(seed) for seed in range(CLIENTS)))
    going_on[0] = False
    await asyncio.gather(*pests)

    for name in ACCOUNTS:  # a crash that still waits for its step
        await setup.post(f"/accounts/{name}/deposit", {"amount": 1})
        known[0] += 1
    for _ in range(200):  # what deserters ordered may still be under way
        before = await balances_of(setup)
        await asyncio.sleep(0.02)
        if before == await balances_of(setup):
            break
    total = sum(before)
    _, stats = await setup.get("/stats")
    check(known[0] <= total <= known[0] + maybe[0],
          f"{known[0]} were paid in, and at most {maybe[0]} more; now {total}")
    counted = stats["deposited"] - first["deposited"]
    check(total == counted, f"the service counted {counted}, the accounts have {total}")
    check(stats["restarts"] > 20, f"there were crashes: {stats}")
    setup.close()
    return total, stats["restarts"], refused[0]


async def balances_of(client):
    return [(await client.get(f"/accounts/{name}"))[1]["balance"] for name in ACCOUNTS]


async def watchers_see_everything(port):
    first = Client(port)
    await first.post("/accounts/eve/deposit", {"amount": 7})
    await first.post("/accounts/fay/deposit", {"amount": 7})
    watchers = [await Watcher(port).open("eve") for _ in range(3)]
    vanishing = await Watcher(port).open("eve")
    amounts = [10_000 + number for number in range(120)]

    async def depositor(share):
        client = Client(port)
        for number, amount in enumerate(share):
            status, _ = await client.post("/accounts/eve/deposit", {"amount": amount})
            check(status == 200, "watched deposit")
            if number % 7 == 3:
                await client.post("/accounts/eve/crash" + ("?after=step" if number % 2 else ""), "")
            if number % 10 == 0:
                order = {"from": "fay", "to": "eve", "amount": 8}  # more than fay has: nothing is pushed
                check((await client.post("/transfers", order))[0] == 409, "watched overdraft")
        client.close()

    await asyncio.gather(*(depositor(amounts[start::6]) for start in range(6)), vanish_soon(vanishing))
    await first.post("/transfers", {"from": "eve", "to": "fay", "amount": 5})
    for watcher in watchers:
        await watcher.wait_for(7 + sum(amounts) - 5)
        steps = [after - before for before, after in zip(watcher.balances, watcher.balances[1:])]
        check(watcher.balances[0] == 7, "a watcher begins with the balance of now")
        check(sorted(steps) == sorted(amounts + [-5]), "a watcher sees each change once, in order")
    check(len({tuple(watcher.balances) for watcher in watchers}) == 1, "all watchers see the same")
    watchers[0].write_frame(8, struct.pack(">H", 1000))
    await asyncio.wait_for(watchers[0].collecting, 3)
    check(watchers[0].close_code == 1000, "a goodbye is returned")
    for watcher in watchers:
        watcher.close()
        watcher.collecting.cancel()
    first.close()
    return len(amounts) + 2


async def vanish_soon(watcher):
    await asyncio.sleep(0.02)
    watcher.collecting.cancel()
    watcher.vanish()


async def stop_finishes_what_is_in_flight(program):
    service = await Service(program).start("--strands", "2")
    port = service.port
    first = Client(port)
    for name in ("ann", "ben"):
        await first.post(f"/accounts/{name}/deposit", {"amount": 1_000_000})
    answered = [0]

    async def busy():
        client = await Client(port).connect()
        while True:
            client.writer.write(text_of("POST", "/transfers", {"from": "ann", "to": "ben", "amount": 1}))
            try:
                status, _ = await client.read_answer()
            except (asyncio.IncompleteReadError, ConnectionError) as failure:
                partial = getattr(failure, "partial", b"")
                check(partial == b"", f"an answer was cut: {partial}")
                return
            check(status == 200, "an answer while the service stops")
            answered[0] += 1

    clients = [asyncio.create_task(busy()) for _ in range(8)]
    watcher = await Watcher(port).open("ann")
    idle = await Client(port).connect()
    half = await Client(port).connect()
    request = text_of("POST", "/transfers", {"from": "ann", "to": "ben", "amount": 1})
    half.writer.write(request[:-5])
    await asyncio.sleep(0.5)
    began = time.monotonic()
    service.process.send_signal(signal.SIGINT)
    await asyncio.sleep(0.2)
    try:
        await Client(port).connect()
        check(False, "nobody is accepted any more")
    except ConnectionError:
        pass
    half.writer.write(request[-5:])
    check((await half.read_answer())[0] == 200, "a request in flight is answered")
    check("connection: close" in half.head, "and is the last one")
    check(await idle.is_closed(), "an idle connection is closed")
    await asyncio.gather(*clients)
    await asyncio.wait_for(watcher.collecting, 3)
    check(watcher.close_code == 1001, f"a watcher hears that the service goes away: {watcher.close_code}")
    steps = [before - after for before, after in zip(watcher.balances, watcher.balances[1:])]
    check(set(steps) == {1}, "a watcher saw single transfers until the end")
    half.close()
    code = await service.end()
    took = time.monotonic() - began
    check(code == 0 and took < 3, f"exit code {code} after {took:.1f} s")
    check(any("requests/s" in line for line in service.printed) or answered[0] < 10, service.printed)
    return answered[0]


async def stop_does_not_wait_forever(program):
    service = await Service(program).start("--drain-limit", "500ms")
    client = await Client(service.port).connect()
    client.writer.write(b"POST /transfers HTTP/1.1\r\n")
    await asyncio.sleep(0.1)
    began = time.monotonic()
    code = await service.end(signal.SIGTERM)
    took = time.monotonic() - began
    check(code == 0 and took < 3, f"exit code {code} after {took:.1f} s")
    client.close()


async def ends_by_itself(program):
    began = time.monotonic()
    service = await Service(program).start("--for", "1200ms", "--strands", "1")
    client = Client(service.port)
    await client.post("/accounts/ann/deposit", {"amount": 1})
    check(await service.end() == 0, "--for ends with exit code 0")
    check(1.1 < time.monotonic() - began < 4, f"--for 1200ms took {time.monotonic() - began:.1f} s")
    check(sum("curl" in line for line in service.printed) == 3, "three lines to try")
    check(any("requests/s" in line for line in service.printed), "a line of figures")
    client.close()


async def main(program):
    service = await Service(program).start(
        "--request-limit", f"{REQUEST_LIMIT * 1000:.0f}ms", "--idle-limit", f"{IDLE_LIMIT * 1000:.0f}ms")
    port = service.port
    await bad_arguments_are_refused(program, port)
    print("wrong arguments and a port in use: a sentence and exit code 2")
    await routes_answer(port)
    await bad_requests_are_refused(port)
    await connections_are_kept(port)
    print("routes, bad requests, pipelining, keep-alive: as promised")
    (total, restarts, refused), *_ = await asyncio.gather(
        money_stays(port), slow_clients_are_cut(port), a_slow_body_is_cut(port))
    print(f"{CLIENTS} clients, {restarts} crashes, {refused} overdrafts, clients that vanish: "
          f"{total} were paid in and are there")
    print("slow clients were cut")
    changes = await watchers_see_everything(port)
    print(f"three watchers saw all {changes} balances in order")
    check(await service.end(signal.SIGINT) == 0, "exit code 0")
    answered, *_ = await asyncio.gather(
        stop_finishes_what_is_in_flight(program), stop_does_not_wait_forever(program),
        ends_by_itself(program))
    print(f"stopped under load after {answered} transfers: what was in flight was answered, exit code 0")
    print(f"{checks} checks")


async def bounded(program):
    try:
        await asyncio.wait_for(main(program), SECONDS)
    except (AssertionError, TimeoutError, asyncio.TimeoutError) as failure:
        return f"service_test: {str(failure) or f'not done after {SECONDS} s'}"
    finally:
        for service in Service.started:
            service.kill()
    return None


if __name__ == "__main__":
    sys.exit(asyncio.run(bounded(sys.argv[1])))
