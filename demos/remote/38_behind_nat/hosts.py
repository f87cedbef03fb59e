#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a server and a caller behind a router that translates addresses, and checks what both see.

    caller            router                          server
    10.78.1.2 ------- 10.78.1.1 | 198.51.100.1 ------- 198.51.100.2:4711

These are three network namespaces of this machine. The router has the kernel put its own address in the
place of the caller's (masquerade), and lets nothing in that does not belong to a connection from inside.
The server has no route to 10.78.1.0/24 either. Without the right to make namespaces, or without nft, this
ends with 77.

With --forwarder a thread of this program stands for the router: it takes the caller's connection, and makes
one of its own to the server, from another address. Nobody translates addresses then, but the server sees
what it would see of a router, and knows no more of the caller.

Usage: hosts.py PROGRAM [--forwarder]
"""

import contextlib
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

SKIPPED = 77
SECONDS = 20
TAG = f"nat{os.getpid() % 10000}"
RULES = """
table ip nat {
    chain behind { type nat hook postrouting priority 100; oifname "outside" masquerade; }
}
table ip filter {
    chain through {
        type filter hook forward priority 0; policy drop;
        iifname "inside" accept
        ct state established,related accept
    }
}
"""


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options)


class Router:
    """Namespaces with a router between."""

    sees = "198.51.100.1"  # whom the server takes for the caller
    listens = "198.51.100.2:4711"

    def __init__(self, stack):
        for name in "caller", "router", "server":
            run("ip", "netns", "add", TAG + name)
            stack.callback(subprocess.run, ["ip", "netns", "del", TAG + name], capture_output=True)
            run("ip", "-n", TAG + name, "link", "set", "lo", "up")
        self.cable("caller", "10.78.1.2/24", "inside", "10.78.1.1/24")
        self.cable("server", "198.51.100.2/24", "outside", "198.51.100.1/24")
        run("ip", "-n", TAG + "caller", "route", "add", "default", "via", "10.78.1.1")
        run(*self.inside("router"), "sysctl", "-w", "net.ipv4.ip_forward=1")
        run(*self.inside("router"), "nft", "-f", "-", input=RULES)

    @staticmethod
    def cable(host, address, side, routers):
        run("ip", "-n", TAG + host, "link", "add", "eth", "type", "veth", "peer", "name", side,
            "netns", TAG + "router")
        for name, device, own in (host, "eth", address), ("router", side, routers):
            run("ip", "-n", TAG + name, "addr", "add", own, "dev", device)
            run("ip", "-n", TAG + name, "link", "set", device, "up")

    @staticmethod
    def inside(host):
        return ["ip", "netns", "exec", TAG + host]

    def dialled(self, server):
        return server

    def check_no_way_back(self):
        way = subprocess.run([*self.inside("server"), "ip", "route", "get", "10.78.1.2"], capture_output=True)
        if way.returncode == 0:
            sys.exit("the server has a way to the caller")

    def pull_cable(self):
        run("ip", "-n", TAG + "router", "link", "set", "inside", "down")

    def put_in_cable(self):
        run("ip", "-n", TAG + "router", "link", "set", "inside", "up")


class Forwarder:
    """A program that stands for the router."""

    sees = "127.0.0.2"
    listens = "127.0.0.1:0"

    def __init__(self, stack):
        self.door = socket.create_server(("127.0.0.1", 0))
        self.lock = threading.Lock()
        self.open = []
        self.is_pulled = False
        stack.callback(self.door.close)
        stack.callback(self.pull_cable)

    @staticmethod
    def inside(host):
        return []

    def dialled(self, server):
        host, port = server.split(":")
        threading.Thread(target=self.accept, args=((host, int(port)),), daemon=True).start()
        return f"127.0.0.1:{self.door.getsockname()[1]}"

    def accept(self, server):
        with contextlib.suppress(OSError):  # the door is closed at the end
            while True:
                near, _ = self.door.accept()
                with self.lock:
                    if self.is_pulled:
                        near.close()
                        continue
                    far = socket.create_connection(server, source_address=(self.sees, 0))
                    self.open += [near, far]
                for each in (near, far), (far, near):
                    threading.Thread(target=self.carry, args=each, daemon=True).start()

    @staticmethod
    def carry(source, target):
        with contextlib.suppress(OSError):  # the other direction has ended
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def check_no_way_back(self):
        pass

    def pull_cable(self):
        with self.lock:
            self.is_pulled = True
            for each in self.open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
            self.open = []

    def put_in_cable(self):
        self.is_pulled = False


class Host:
    def __init__(self, stack, router, name, program, *arguments):
        self.name = name
        self.lines = queue.Queue()
        self.process = subprocess.Popen([*router.inside(name), program, *arguments], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        stack.callback(self.kill)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip())

    def expect(self, pattern):
        """The next line fits this pattern; how often the caller dials is not looked at."""
        end = time.monotonic() + SECONDS
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                sys.exit(f"the {self.name} has not said {pattern!r}")
            print(f"the {self.name} {line}", flush=True)
            if found := re.fullmatch(pattern, line):
                return found
            if not line.startswith("dials ") or self.name == "server":  # which dials nobody
                sys.exit(f"the {self.name} was to say {pattern!r}")

    def kill(self):
        self.process.kill()
        self.process.wait()


def meet(server, caller, router, links):
    """The caller has dialled, is answered, and is called back over its connection."""
    if server.expect(r"sees a connection from (.*):\d+")[1] != router.sees:
        sys.exit(f"the server was to see {router.sees}")
    server.expect("is asked by ada")
    caller.expect('is told: "hello ada"')
    caller.expect("is called by the desk")
    server.expect('calls back: "ada is here"')
    server.expect(f"knows of caller no address, and has had {links} links to it")


def play(stack, program, router):
    server = Host(stack, router, "server", program, "serve", router.listens)
    address = server.expect("listens at (.*)")[1]
    router.check_no_way_back()
    caller = Host(stack, router, "caller", program, "call", router.dialled(address))
    meet(server, caller, router, 1)

    print("the cable of the caller is pulled out", flush=True)
    router.pull_cable()
    server.expect("has lost the caller")
    server.expect("cannot call back: the node is not reachable")
    caller.expect("has lost the desk")
    print("it is put in again, and the caller dials anew", flush=True)
    router.put_in_cable()
    meet(server, caller, router, 2)

    print("the caller is killed", flush=True)
    caller.kill()
    server.expect("has lost the caller")
    server.expect("cannot call back: the node is not reachable")


def main(program, how=""):
    program = os.path.abspath(program)
    with contextlib.ExitStack() as stack:
        try:
            if how != "--forwarder" and shutil.which("nft") is None:
                raise OSError("there is no nft")
            router = Forwarder(stack) if how == "--forwarder" else Router(stack)
        except (OSError, subprocess.CalledProcessError) as failure:
            print(f"no router can be made here, try --forwarder: {failure} "
                  f"{getattr(failure, 'stderr', '')}".strip())
            return SKIPPED
        play(stack, program, router)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
