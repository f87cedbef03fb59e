#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Has browsers, which are sockets here, talk with somebody at a terminal, and checks what is bounded.

Usage: chat_web_test.py PROGRAM
"""

import base64
import hashlib
import json
import os
import signal
import socket
import struct
import sys

import chat_test

SECONDS = chat_test.SECONDS


def check(is_so, what):
    if not is_so:
        raise AssertionError(what)


def connect(address, receive_buffer=None):
    host, port = address
    opened = socket.socket()
    if receive_buffer:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    opened.settimeout(SECONDS)
    opened.connect((host, port))
    return opened


def fetch(address, request):
    """The head and the body of what is answered."""
    with connect(address) as opened:
        opened.sendall(request.encode())
        answer = b""
        try:
            while part := opened.recv(65536):
                answer += part
        except ConnectionResetError:
            pass  # it was hung up on, with something unread
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode(), body.decode()


class Browser:
    """A WebSocket."""

    def __init__(self, address, **options):
        self.socket = connect(address, **options)
        self.file = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(request("/chat", address, "Connection: Upgrade", "Upgrade: websocket",
                                    f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
                                    f"Origin: http://{address[0]}:{address[1]}").encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.file.readline()
            check(line, f"the handshake ends with {head}")
            head += line
        check(head.startswith(b"HTTP/1.1 101 "), head)
        proof = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        check(base64.b64encode(proof) in head, head)

    def send(self, code, data):
        mask = os.urandom(4)
        length = bytes([128 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        self.socket.sendall(bytes([128 | code]) + length + mask + masked)

    def wish(self, **what):
        self.send(1, json.dumps(what).encode())

    def frame(self):
        """The code and the data of the next one."""
        head = self.file.read(2)
        check(len(head) == 2, "the connection is cut")
        length = head[1]
        if length == 126:
            length, = struct.unpack(">H", self.file.read(2))
        return head[0] & 15, self.file.read(length)

    def expect(self, *wanted):
        """The next messages are these."""
        for each in wanted:
            code, data = self.frame()
            check(code == 1 and json.loads(data) == each, f"{each} was to come, but it was {data}")

    def expect_close(self, code, reason):
        """The next is the server's goodbye."""
        kind, data = self.frame()
        check(kind == 8 and struct.unpack(">H", data[:2])[0] == code and data[2:].decode() == reason,
              f"{code} {reason!r} was to come, but it was {kind} {data}")

    def join(self, nick):
        self.wish(join=nick)

    def leave(self):
        self.send(8, struct.pack(">H", 1000))
        check(self.frame()[0] == 8, "a goodbye is answered")
        self.vanish()

    def vanish(self):
        self.file.close()
        self.socket.close()


def request(path, address, *fields, method="GET"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {address[0]}:{address[1]}", *fields, "", ""])


def entered(*others):
    return {"kind": "entry", "refusal": "", "others": list(others)}


class Server(chat_test.Server):
    def __init__(self, program, *arguments):
        super().__init__(program, "--web", "127.0.0.1:0", *arguments)
        host, port = self.next().removeprefix("web http://").removesuffix("/").split(":")
        self.web = host, int(port)


def look_at_page(server):
    head, body = fetch(server.web, request("/", server.web))
    check(head.startswith("HTTP/1.1 200 ") and "default-src 'none'" in head, head)
    check("textContent" in body and "innerHTML" not in body, "the page makes text of what others say")
    upgrade = ["Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {'A' * 22}==",
               "Sec-WebSocket-Version: 13"]
    for status, asked in {404: request("/x", server.web), 405: request("/", server.web, method="DELETE"),
                          426: request("/chat", server.web),
                          403: request("/chat", server.web, *upgrade, "Origin: http://elsewhere")}.items():
        head, _ = fetch(server.web, asked)
        check(head.startswith(f"HTTP/1.1 {status} "), f"{status} was to come, but it was {head}")
    head, _ = fetch(server.web, request("/", server.web, "X: " + "x" * 10000))
    check(head == "", f"a header without end is not answered, but it was {head}")


def talk(server):
    ada = server.join("ada")
    ada.expect("* you are ada, and alone")
    web = Browser(server.web)
    web.join("ada")
    web.expect({"kind": "entry", "refusal": "somebody is called ada already", "others": []})
    web.wish(say="hello")
    web.expect({"kind": "notice", "text": "Nobody has heard that: you are not in"})
    web.join("wil")
    web.expect(entered("ada"))
    ada.expect("* wil came")
    web.wish(say="hello")
    ada.expect("wil: hello")
    web.expect({"kind": "said", "nick": "wil", "text": "hello"})
    ada.say('<img src=x onerror="alert(1)">')
    ada.expect('ada: <img src=x onerror="alert(1)">')
    web.expect({"kind": "said", "nick": "ada", "text": '<img src=x onerror="alert(1)">'})
    web.wish(who=True)
    web.expect({"kind": "present", "nicks": ["ada", "wil"]})
    for nonsense in b"{", b"[]", b'{"dance": 1}', b'{"say": 1}', b"[" * 1000:
        web.send(1, nonsense)
        web.expect({"kind": "notice", "text": "That is not understood"})
    web.send(2, b'{"say": "\xff"}')
    web.expect({"kind": "notice", "text": "That is not understood"})
    web.wish(say="\x1b[2J")
    web.expect({"kind": "notice",
                "text": "Nobody has heard that: what you say is UTF-8, without control characters"})
    web.wish(say="x" * 1001)
    web.expect({"kind": "notice", "text": "Nobody has heard that: what you say has 1 to 1000 bytes"})

    eve = Browser(server.web)
    eve.join("eve")
    eve.expect(entered("ada", "wil"))
    ada.expect("* eve came")
    web.expect({"kind": "came", "nick": "eve"})
    web.leave()
    ada.expect("* wil left")
    eve.expect({"kind": "left", "nick": "wil", "reason": ""})
    eve.vanish()
    ada.expect("* eve is gone")

    max_ = Browser(server.web)
    max_.join("max")
    max_.expect(entered("ada"))
    ada.expect("* max came")
    max_.send(1, b"x" * 9000)
    check(max_.frame() == (8, struct.pack(">H", 1009)), "what is too long is refused")
    ada.expect("* max is gone")
    return ada


def drop_slow_reader(server, ada):
    """What one says who reads nothing comes back to it until it is dropped; ada hears all."""
    slow = Browser(server.web, receive_buffer=4096)
    slow.join("slow")
    ada.expect("* slow came")
    said = 0
    while said < 20000:
        ada.say("x" * 1000)
        said += 1
        line = ada.next()
        if line == "* slow left: reads too slowly":
            break
        check(line == "ada: " + "x" * 1000, line)
    check(line.startswith("* slow left"), "somebody who reads nothing stays")
    print(f"dropped after {said} messages")


def fill_room(program):
    server = Server(program, "--visitors", "200")
    browsers = [Browser(server.web) for _ in range(101)]
    for number, each in enumerate(browsers[:100]):
        each.join(f"b{number}")
        each.expect(entered(*(f"b{other}" for other in range(number))))
    browsers[100].join("late")
    browsers[100].expect({"kind": "entry", "refusal": "the room is full", "others": []})
    server.kill()


def turn_away(program):
    server = Server(program, "--visitors", "1")
    web = Browser(server.web)
    web.join("wil")
    web.expect(entered())
    head, _ = fetch(server.web, request("/", server.web))
    check(head.startswith("HTTP/1.1 503 "), head)
    server.process.send_signal(signal.SIGTERM)
    web.expect_close(1001, "the room is closed")
    web.send(8, struct.pack(">H", 1001))
    server.end()


def main(program):
    server = Server(program)
    look_at_page(server)
    ada = talk(server)
    drop_slow_reader(server, ada)
    server.kill()
    fill_room(program)
    turn_away(program)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    finally:
        for each in chat_test.Process.started:
            each.kill()
