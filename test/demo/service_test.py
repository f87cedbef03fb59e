#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the account service against many clients, good and bad ones, and checks what it promises.

Usage: service_test.py SERVICE
"""

import asyncio
import base64
import json
import os
import pathlib
import random
import re
import signal
import socket
import struct
import sys
import time

REQUEST_LIMIT = 1.0  # seconds; what the service is started with
IDLE_LIMIT = 3.0
ACCOUNTS = [f"a{number}" for number in range(12)]
CLIENTS = 24
STEPS = 120
SECONDS = 60  # at most, for all of it; it takes a tenth of that
KEY = base64.b64encode(b"costar says hi!!").decode()
UPGRADE = ("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           f"Sec-WebSocket-Key: {KEY}\r\n")

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

    async def pause(self):
        """Stops all of its threads until SIGCONT."""
        self.process.send_signal(signal.SIGSTOP)
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        while any(") T " not in (task / "stat").read_text() for task in tasks.iterdir()):
            await asyncio.sleep(0.001)

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

    async def open(self, account, headers=""):
        await self.connect()
        self.writer.write(text_of("GET", f"/accounts/{account}/watch", headers=UPGRADE + headers))
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
            ("GET", "/accounts/%zz", 400), ("GET", "/accounts/.", 400), ("GET", "/accounts/%2e%2e", 400),
            ("POST", "/accounts/../deposit", 400),
            ("GET", "/accounts/ann/deposit", 405), ("PUT", "/accounts/ann", 405), ("POST", "/stats", 405),
            ("DELETE", "/transfers", 405), ("GET", "/accounts/ann/watch", 426)):
        status, said = await client.ask(method, target)
        check(status == expected and said["error"], f"{method} {target}: {status} {said}")
        allowed = "allow: get, head\r\n" if target in ("/accounts/ann", "/stats") else "allow: post\r\n"
        check(status != 405 or allowed in client.head, f"405 says what is allowed: {client.head}")
        check(status != 426 or "connection: upgrade" in client.head, f"426 says how: {client.head}")
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
            b"\x16\x03\x01\x02\x00\x01\x00", b"what?\r\n\r\n", b"GET / HTTP/one\r\n\r\n", b"\r\n" * 9):
        await client.connect()
        client.writer.write(rubbish + b"\r\n\r\n")
        check((await client.read_answer())[0] == 400 and await client.is_closed(), f"rubbish: {rubbish}")
        client.close()
    await client.connect()
    client.writer.write(text_of("GET", "/accounts/nobody/watch", headers=UPGRADE))
    check((await client.read_answer())[0] == 404, "nobody can be watched")
    client.close()


async def exchange(port, *pieces):
    """Sends pieces, each as a packet, and reads until the service closes: status, head, the rest."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.get_extra_info("socket").setsockopt(6, 1, 1)  # TCP_NODELAY
    reading = asyncio.create_task(reader.read())
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
            if reading.done():
                break
    except ConnectionError:
        pass
    text = await asyncio.wait_for(reading, 5)
    writer.close()
    head, _, rest = text.decode().partition("\r\n\r\n")
    return int(head.split(" ")[1]) if head else None, head.lower(), rest


def memory_of(process):
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) * 1024


CHUNKED = b"POST /accounts/ann/deposit HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"


async def every_byte_counts(service):
    """What has no end is cut, and what becomes no part of the request counts as well."""
    port = service.port
    before = memory_of(service.process)
    endless = [b"x" * 10_000] * 30
    for name, begin, more, expected in (
            ("a chunk extension", CHUNKED + b"5;", endless, 413),
            ("the value of one", CHUNKED + b'5;a="', endless, 413),
            ("leading zeros", CHUNKED, [b"0" * 10_000] * 30, 413),
            ("a trailer section", CHUNKED + b"0\r\n", [b"A: " + b"x" * 1000 + b"\r\n"] * 200, 413),
            ("a trailer", CHUNKED + b"0\r\nA: ", endless, 413),
            ("chunks of one byte", CHUNKED, [b"1\r\nx\r\n" * 200] * 100, 413),
            ("a request line", b"GET /", endless, 431),
            ("a field", b"GET / HTTP/1.1\r\nA: ", endless, 431),
            ("fields in pieces", b"GET / HTTP/1.1\r\n", [b"A: b\r\n"] * 3000, 431),
            ("line and fields", b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n",
             [b"Host: test\r\nA: " + b"x" * 5000 + b"\r\n\r\n"], 431)):
        status, head, _ = await exchange(port, begin, *more)
        check(status == expected and "connection: close" in head, f"{name} without an end: {status}")
    grown = memory_of(service.process) - before
    check(grown < 32 << 20, f"none of it is kept: {grown} bytes")
    body = b"7;ext=1\r\n" + b'{"amoun' + b"\r\n07\r\n" + b't": 1} ' + b"\r\n0\r\nHost: other\r\nX: y\r\n\r\n"
    one_by_one = [bytes([byte]) for byte in CHUNKED.replace(b"ann", b"ben") + body]
    for pieces in ([CHUNKED.replace(b"ann", b"ben") + body], one_by_one):
        client = await Client(port).connect()
        for piece in pieces:
            client.writer.write(piece)
            await client.writer.drain()
            await asyncio.sleep(0)
        status, said = await client.read_answer()
        check(status == 200, f"chunks with extensions and trailers: {status} {said}")
        client.close()


async def framing_is_clear(port):
    """Where a request ends, whom it is for and what it speaks is certain, or it is refused."""
    def post(headers, body=b"", line=b"POST /accounts/ann/deposit HTTP/1.1", host=b"Host: test\r\n"):
        return line + b"\r\n" + host + headers + b"\r\n" + body

    chunks = b'd\r\n{"amount": 1}\r\n0\r\n\r\n'
    coding = b"Transfer-Encoding: "
    get = b"GET /stats HTTP/1.1"
    for request, expected in (
            (post(coding + b"gzip\r\n", chunks), 400),
            (post(coding + b"chunked, gzip\r\n", chunks), 400),
            (post(coding + b"chunked, chunked\r\n", chunks), 400),
            (post(coding + b"identity\r\n", chunks), 400),
            (post(coding + b"\r\n", chunks), 400),
            (post(coding + b"chunked;a=b\r\n", chunks), 400),
            (post(coding + b"xchunked\r\n", chunks), 400),
            (post(coding + b"gzip, chunked\r\n", chunks), 501),
            (post(coding + b"gzip\r\n" + coding + b"chunked\r\n", chunks), 501),
            (post(coding + b"chunked\r\n" + coding + b"gzip\r\n", chunks), 400),
            (post(coding + b"chunked\r\nContent-Length: 3\r\n", chunks), 400),
            (post(coding + b"gzip\r\nContent-Length: 13\r\n", b'{"amount": 1}'), 400),
            (post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"1234"), 400),
            (post(b"Content-Length: -1\r\n"), 400),
            (post(coding + b"chunked\r\n", chunks, b"POST /accounts/ann/deposit HTTP/1.0"), 400),
            (post(b"", line=get, host=b""), 400),
            (post(b"Host: test\r\n", line=get), 400),
            (post(b"", line=get, host=b"Host: a b\r\n"), 400),
            (post(b"", line=get, host=b"Host: a/b\r\n"), 400),
            (post(b"", line=get, host=b"Host: me@test\r\n"), 400),
            (post(b"", line=get, host=b"Host: test:8x\r\n"), 400),
            (post(b"", line=b"BREW /stats HTTP/1.1"), 501),
            (post(b"", line=b"PROPFIND /stats HTTP/1.1"), 501),
            (post(b"", line=b"GET /stats HTTP/9.9"), 505),
            (post(b"", line=b"PRI * HTTP/2.0"), 505),
            (post(b"", line=b"GET /stats  HTTP/1.1"), 400),
            (post(b"Origin: http://elsewhere\r\nContent-Length: 13\r\n", b'{"amount": 1}'), 403),
            (post(b"Origin:\r\nContent-Length: 13\r\n", b'{"amount": 1}'), 403),
            (post(b"Origin: null\r\nContent-Length: 13\r\n", b'{"amount": 1}'), 403)):
        # What stands behind it must not be taken for another request.
        status, head, rest = await exchange(port, request + post(b"", line=get))
        check(status == expected and "connection: close" in head and "\r\n\r\n" not in rest,
              f"{request}: {status} {rest}")
        check(expected not in (400, 403) or "\r\ndate: " in head, f"{request}: {head}")
    ending = b"Connection: close\r\n"
    for request, expected in (
            (post(ending, line=b"GET http://test:80/stats HTTP/1.1"), 200),
            (post(ending, line=b"GET HTTP://TEST/accounts/ben HTTP/1.1"), 200),
            (post(ending, line=b"GET * HTTP/1.1"), 400),
            (post(ending, line=b"GET ftp://test/stats HTTP/1.1"), 400),
            (post(ending, line=b"GET http:///stats HTTP/1.1"), 400),
            (post(ending, line=get, host=b"Host:\r\n"), 200),
            (post(ending, line=get, host=b"Host: [::1]:8080\r\n"), 200),
            (post(ending, line=get, host=b"Host: some_host:1\r\n"), 200),
            (post(ending + b"Origin: http://test\r\n", line=get), 200),
            (b"\r\n" + post(ending, line=get), 200),
            (b"GET /stats HTTP/1.0\r\n\r\n", 200)):
        status, head, _ = await exchange(port, request)
        dated = re.search(r"\r\ndate: [a-z]{3}, \d\d [a-z]{3} \d{4} \d\d:\d\d:\d\d gmt\r\n", head + "\r\n")
        check(status == expected and dated, f"{request}: {status} {head}")
    client = await Client(port).connect()
    client.writer.write(b"POST /accounts/ben/deposit HTTP/1.0\r\nExpect: 100-continue\r\n"
                        b"Content-Length: 13\r\n\r\n")
    await asyncio.sleep(0.05)
    client.writer.write(b'{"amount": 1}')
    check((await client.read_answer())[0] == 200, "HTTP/1.0 hears no 100 Continue")
    client.close()
    await client.connect()
    for _ in range(3):  # some clients end a body with an empty line
        client.writer.write(text_of("POST", "/accounts/ben/deposit", {"amount": 1}) + b"\r\n")
        check((await client.read_answer())[0] == 200, "an empty line between requests")
    client.close()


async def handshakes_are_checked(port):
    """A WebSocket begins as RFC 6455 says, for pages of this origin only."""
    key = f"Sec-WebSocket-Key: {KEY}\r\n"
    for headers, expected in (
            *((UPGRADE.replace(KEY, base64.b64encode(b"x" * size).decode()), 400)
              for size in (0, 1, 14, 15, 17)),
            (UPGRADE.replace(KEY, KEY[:21] + "R=="), 400),
            (UPGRADE.replace(KEY, "no base64 at all, no!=="), 400),
            (UPGRADE.replace(key, ""), 400), (UPGRADE + key, 400),
            (UPGRADE.replace("Version: 13", "Version: 12"), 426),
            (UPGRADE + "Origin: http://elsewhere\r\n", 403), (UPGRADE + "Origin: null\r\n", 403)):
        status, head, _ = await exchange(port, text_of("GET", "/accounts/ben/watch", headers=headers))
        check(status == expected, f"{headers}: {status}")
        check(status != 426 or "sec-websocket-version: 13" in head, head)
    early = text_of("GET", "/accounts/ben/watch", headers=UPGRADE) + b"\x81\x80abcd"
    check((await exchange(port, early))[0] == 400, "a frame before the answer")
    check((await exchange(port, text_of(
        "GET", "/accounts/ben/watch", headers=UPGRADE + "Origin: http://elsewhere\r\n")))[0] == 403, "origin")
    for code, expected in ((1000, 1000), (1001, 1001), (4999, 4999), (1005, 1002), (999, 1002), (2999, 1002),
                           (5000, 1002), (65535, 1002)):
        watcher = await Watcher(port).open("ben", "Origin: http://test\r\n")
        while not watcher.balances:
            await asyncio.sleep(0.01)
        watcher.write_frame(8, struct.pack(">H", code))
        await asyncio.wait_for(watcher.collecting, 5)
        check(watcher.close_code == expected, f"close code {code} is answered with {watcher.close_code}")
        watcher.close()


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
    check(code == 1 and took < 3, f"a request is left unfinished: exit code {code} after {took:.1f} s")
    check(any("not finished within 500 ms" in line for line in service.printed), service.printed)
    client.close()


async def stop_answers_what_lies_in_sockets(program):
    """Requests that were sent before anybody could know of the stop are answered or refused."""
    service = await Service(program).start("--strands", "2")
    kept = [await Client(service.port).connect() for _ in range(6)]
    for client in kept:
        check((await client.post("/accounts/ann/deposit", {"amount": 1}))[0] == 200, "it is kept")
    await service.pause()
    new = [await Client(service.port).connect() for _ in range(6)]
    for client in kept + new:
        sent = 100 if client in kept else 1
        client.writer.write(text_of("POST", "/accounts/ann/deposit", {"amount": 1}) * sent)
        await client.writer.drain()
    await asyncio.sleep(0.05)
    service.process.send_signal(signal.SIGTERM)
    service.process.send_signal(signal.SIGCONT)
    for client in kept + new:
        for number in range(100 if client in kept else 1):
            status, said = await client.read_answer()
            allowed = (200,) if client in kept else (200, 503)
            check(status in allowed, f"what lay in a socket when the stop came, {number}: {status} {said}")
        check(await client.is_closed(), "and it is the last one")
        client.close()
    check(await service.end() == 0, "nothing was left unfinished")


async def newcomers_are_served_beside_others(program):
    """Those who connect while all others are busy do not wait until these have nothing more to ask."""
    service = await Service(program).start("--strands", "1")
    order = text_of("POST", "/accounts/ann/deposit", {"amount": 1})
    old = [await Client(service.port).connect() for _ in range(100)]
    for client in old:
        await client.post("/accounts/ann/deposit", {"amount": 1})
    await service.pause()
    for client in old:
        client.writer.write(order * 40)
        await client.writer.drain()
    new = [await Client(service.port).connect() for _ in range(100)]
    for client in new:
        client.writer.write(order)
        await client.writer.drain()
    service.process.send_signal(signal.SIGCONT)
    balances = [(await client.read_answer())[1]["balance"] for client in new]
    check(max(balances) < 2500, f"of 4200 deposits so many were before the last newcomer's: {max(balances)}")
    for client in old + new:
        client.close()
    check(await service.end(signal.SIGTERM) == 0, "exit code 0")
    return max(balances)


async def a_reader_that_goes_away_ends_nothing(program):
    for is_slow in (False, True):
        out, into = os.pipe()
        process = await asyncio.create_subprocess_exec(
            program, "--port", "0", "--strands", "1", stdout=into, stderr=asyncio.subprocess.DEVNULL)
        service = Service(program)
        service.process = process
        port = int(re.search(r"127\.0\.0\.1:(\d+)", os.read(out, 4096).decode())[1])
        if is_slow:
            os.set_blocking(into, False)
            try:
                while True:  # nobody reads, and the pipe is full
                    os.write(into, b"x" * 4096)
            except BlockingIOError:
                os.set_blocking(into, True)
        else:
            os.close(out)
        os.close(into)
        client = Client(port)
        for _ in range(25):  # longer than the time between two lines of figures
            check((await client.post("/accounts/ann/deposit", {"amount": 1}))[0] == 200, "it goes on")
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 10)
        check(code == 0, f"nobody reads what is printed: exit code {code}")
        client.close()
        if is_slow:
            os.close(out)


async def connections_are_limited(program):
    service = await Service(program).start("--connections", "4")
    clients = [await Client(service.port).connect() for _ in range(4)]
    for client in clients:
        check((await client.get("/stats"))[0] == 200, "as many as there may be")
    for _ in range(3):
        one_more = await Client(service.port).connect()
        status, said = await one_more.read_answer()
        check(status == 503 and said["error"] and "retry-after: " in one_more.head, f"one too many: {status}")
        check(await one_more.is_closed(), "is told, and let go")
        one_more.close()
    check((await clients[0].get("/stats"))[0] == 200, "the others are not disturbed")
    clients.pop().close()
    for _ in range(100):
        one_more = await Client(service.port).connect()
        status, _ = await one_more.get("/stats")
        one_more.close()
        if status == 200:
            break
        await asyncio.sleep(0.02)
    check(status == 200, "there is room again")
    for client in clients:
        client.close()
    check(await service.end(signal.SIGINT) == 0, "exit code 0")


async def accounts_without_use_end(program):
    service = await Service(program).start("--account-limit", "150ms", "--accounts", "3")
    client = Client(service.port)

    async def accounts():
        return (await client.get("/stats"))[1]["accounts"]

    async def wait_for_accounts(number):
        for _ in range(200):
            if await accounts() == number:
                return
            await asyncio.sleep(0.02)
        check(False, f"{number} accounts are left, and not {await accounts()}")

    for name in ("ann", "ben", "cid"):
        await client.post(f"/accounts/{name}/deposit", {"amount": 5})
    status, said = await client.post("/accounts/dan/deposit", {"amount": 5})
    check(status == 503 and said["error"], f"an account too many: {status} {said}")
    watcher = await Watcher(service.port).open("ben")
    for name, headers in (("ann", ""), ("ben", ""), ("cid", 'Idempotency-Key: "k"\r\n')):
        if name == "cid":
            await client.ask("POST", "/accounts/cid/deposit", {"amount": 1}, headers)
        balance = (await client.get(f"/accounts/{name}"))[1]["balance"]
        order = {"from": name, "to": "ann" if name != "ann" else "ben", "amount": balance}
        check((await client.post("/transfers", order))[0] == 200, "all of its money goes elsewhere")
    # ann got it back; ben is watched, and cid has a key.
    await asyncio.sleep(0.4)
    check(await accounts() == 3, "what is watched, or has a key or money, stays")
    watcher.close()
    watcher.collecting.cancel()
    await wait_for_accounts(2)
    check((await client.get("/accounts/ben"))[0] == 404, "an account without money, watchers and keys ends")
    check(await client.post("/accounts/ben/deposit", {"amount": 2}) ==
          (200, {"account": "ben", "balance": 2}), "it is opened again")
    await client.post("/transfers", {"from": "ben", "to": "ann", "amount": 2})
    await client.post("/accounts/ben/crash", "")  # with which its clock ends
    await wait_for_accounts(2)
    total = sum([(await client.get(f"/accounts/{name}"))[1]["balance"] for name in ("ann", "cid")])
    _, stats = await client.get("/stats")
    check(total == stats["deposited"] == 18, f"{total} of {stats}")
    client.close()
    check(await service.end(signal.SIGINT) == 0, "exit code 0")


async def orders_with_a_key_are_done_once(program):
    """A client that does not know whether its order was done sends it again, and finds out."""
    service = await Service(program).start("--answer-limit", "150ms", "--restart-delay", "500ms")
    client = Client(service.port)

    async def ask(target, body, key):
        headers = f"Idempotency-Key: {key}\r\n" if key else ""
        return await client.ask("POST", target, body, headers)

    async def balance_of(name):
        for _ in range(100):
            status, said = await client.get(f"/accounts/{name}")
            if status == 200:
                return said["balance"]
        check(False, f"the account answers at last: {status} {said}")

    deposit = {"amount": 7}
    check(await ask("/accounts/ann/deposit", deposit, '"k1"') ==
          (200, {"account": "ann", "balance": 7}), "the first time")
    for key in ('"k1"', "k1"):
        check(await ask("/accounts/ann/deposit", deposit, key) ==
              (200, {"account": "ann", "balance": 7, "repeated": True}), "a key is good for one deposit")
    check((await ask("/accounts/ann/deposit", {"amount": 8}, "k1"))[0] == 422, "a key for something else")
    check((await ask("/accounts/ann/deposit", deposit, "k2"))[1]["balance"] == 14, "another key")
    check((await ask("/accounts/ben/deposit", deposit, "k1"))[1]["balance"] == 7, "for another account")
    for key in ('""', "x" * 65, "a,b", "k\r\nIdempotency-Key: l"):
        status, _ = await ask("/accounts/ann/deposit", deposit, key)
        check(status == 400, f"key {key!r}: {status}")
        client.close()
    order = {"from": "ann", "to": "ben", "amount": 4}
    for more in ({}, {"repeated": True}):
        status, said = await ask("/transfers", order, "t1")
        check((status, said) == (200, {**order, "balance": 10, **more}), f"with a key: {status} {said}")
    check((await ask("/transfers", {**order, "amount": 3}, "t1"))[0] == 422, "another amount")
    check((await ask("/transfers", {**order, "to": "cid"}, "t1"))[0] == 404, "another account")
    check((await ask("/transfers", {**order, "amount": 1000}, "t2"))[0] == 409, "an overdraft does nothing")
    await ask("/accounts/ann/deposit", {"amount": 1000}, "")
    check((await ask("/transfers", {**order, "amount": 1000}, "t2"))[0] == 200, "and is tried again")
    await ask("/accounts/ann/crash", "", "")
    check(await balance_of("ann") == 10, "a crash forgets nothing")
    check((await ask("/transfers", order, "t1"))[1]["repeated"], "nor a key")

    for target, body, key, payer, change in (
            ("/accounts/ann/deposit", {"amount": 5}, "", "ann", 5),
            ("/accounts/ann/deposit", {"amount": 5}, "late1", "ann", 5),
            ("/transfers", {"from": "ann", "to": "ben", "amount": 2}, "", "ann", -2),
            ("/transfers", {"from": "ann", "to": "ben", "amount": 2}, "late2", "ann", -2),
            ("/transfers", {"from": "ben", "to": "ann", "amount": 2}, "", "ben", -2)):
        before = await balance_of(payer)
        check((await ask("/accounts/ann/crash", "", ""))[0] == 202, "a crash")
        status, said = await ask(target, body, key)
        check(status == 504 and said["idempotency_key"] == (key or said["idempotency_key"]),
              f"the account is away: {status} {said}")
        key = said["idempotency_key"]
        for _ in range(100):
            status, said = await ask(target, body, key)
            if status not in (504, 409):
                break
            await asyncio.sleep(0.02)
        check(status == 200 and said["balance"] == before + change, f"it was done: {status} {said}")
        check((await ask(target, body, key))[1]["repeated"], "and is not done again")
        check((await ask(target, {**body, "amount": 1}, key))[0] == 422, "with its key nothing else is")
        check(await balance_of(payer) == before + change, "once")
    total = await balance_of("ann") + await balance_of("ben")
    _, stats = await client.get("/stats")
    check(stats["deposited"] == total, f"the balances are {total}: {stats}")
    client.close()
    check(await service.end(signal.SIGINT) == 0, "exit code 0")


async def figures_show_who_waits(program):
    """The worst wait and the oldest request without an answer are in each line."""
    service = await Service(program).start("--strands", "1", "--restart-delay", "2500ms")
    client = Client(service.port)
    await client.post("/accounts/ann/deposit", {"amount": 1})
    await client.post("/accounts/ann/crash", "")
    check((await client.post("/accounts/ann/deposit", {"amount": 1}))[0] == 200, "a long wait")
    await asyncio.sleep(1.2)  # until that is printed
    await service.pause()  # what waits in a socket waits, too
    client.writer.write(text_of("GET", "/stats"))
    await asyncio.sleep(0.8)
    service.process.send_signal(signal.SIGCONT)
    await client.read_answer()
    for _ in range(200):
        printed = "\n".join(service.printed)
        found = re.findall(r"worst ([\d.]+) ms, oldest unanswered (\d+) ms", printed)
        lines = [(float(worst), int(oldest)) for worst, oldest in found]
        if any(600 < worst < 1800 for worst, _ in lines):
            break
        await asyncio.sleep(0.02)
    check(any(oldest > 1000 for _, oldest in lines), f"somebody waits: {service.printed}")
    check(any(2000 < worst for worst, _ in lines), f"somebody has waited: {service.printed}")
    check(any(600 < worst < 1800 for worst, _ in lines), f"somebody has waited unread: {service.printed}")
    client.close()
    check(await service.end(signal.SIGINT) == 0, "exit code 0")


async def watchers_are_told_in_batches(program):
    """More watchers than a batch has: all see all changes, and one that takes nothing is let go by number."""
    service = await Service(program).start("--strands", "2", "--answer-limit", "60s")
    client = Client(service.port)
    await client.post("/accounts/ann/deposit", {"amount": 1})
    watchers = await asyncio.gather(*(Watcher(service.port).open("ann") for _ in range(200)))
    for watcher in watchers:
        await watcher.wait_for(1)  # from here on it watches
    for number in range(40):
        await client.post("/accounts/ann/deposit", {"amount": 1 + number})
        if number % 8 == 0:
            await client.post("/accounts/ann/crash" + ("?after=step" if number % 16 == 0 else ""), "")
    last = 1 + 40 * 41 // 2
    for watcher in watchers:
        await watcher.wait_for(last)
        steps = [after - before for before, after in zip(watcher.balances, watcher.balances[1:])]
        check(steps == list(range(1, 41)), f"each change once, in order: {steps}")
        watcher.collecting.cancel()
        watcher.close()
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    stuck.connect(("127.0.0.1", service.port))
    stuck.sendall(text_of("GET", "/accounts/ann/watch", headers=UPGRADE))
    for _ in range(100):
        if (await client.get("/stats"))[1]["connections"] == 2:
            break
        await asyncio.sleep(0.02)
    order = text_of("POST", "/accounts/ann/deposit", {"amount": 1}) * 500
    for sent in range(0, 300_000, 500):
        client.writer.write(order)
        for _ in range(500):
            await client.reader.readuntil(b"\r\n\r\n{")
            await client.reader.readuntil(b"}\n")
        if (await client.get("/stats"))[1]["connections"] == 1:
            break
    check((await client.get("/stats"))[1]["connections"] == 1, f"it is let go, after {sent} changes")
    stuck.close()
    client.close()
    check(await service.end(signal.SIGINT) == 0, "exit code 0")
    return sent


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
    await every_byte_counts(service)
    await framing_is_clear(port)
    await handshakes_are_checked(port)
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
    await asyncio.gather(
        stop_answers_what_lies_in_sockets(program), connections_are_limited(program),
        accounts_without_use_end(program), orders_with_a_key_are_done_once(program))
    print("sockets at a stop, limits, accounts without use, orders with a key: as promised")
    sent, before, *_ = await asyncio.gather(
        watchers_are_told_in_batches(program), newcomers_are_served_beside_others(program),
        a_reader_that_goes_away_ends_nothing(program), figures_show_who_waits(program))
    print(f"of 100 that came while 100 were busy the last was served behind {before} of 4200 requests")
    print(f"200 watchers saw all in order; one that took nothing was let go after {sent} changes")
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
