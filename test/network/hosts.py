#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Three nodes in network namespaces, whose links the kernel cuts and heals, and which are stopped and killed;
and a program that is no node, whose cable is pulled out while nobody says anything.

Each must find out that a peer is lost and find it again in bounded time; afterwards no number has overtaken
another one and all requests have ended. Without the right to make namespaces it is skipped.

Usage: hosts.py PROGRAM
"""

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time

SKIPPED = 77
PORT = 4711
TAG = f"co{os.getpid() % 10000}"
HOSTS = ["a", "b", "c"]
ADDRESS = {name: f"10.77.0.{number}" for number, name in enumerate(HOSTS, 1)}


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def inside(name):
    return f"{TAG}{name}"


@contextlib.contextmanager
def network():
    """A bridge in a namespace of its own, and one namespace for each host."""
    made = []
    try:
        for name in ["bridge", *HOSTS]:
            ip("netns", "add", inside(name))
            made.append(inside(name))
            ip("-n", inside(name), "link", "set", "lo", "up")
        ip("-n", inside("bridge"), "link", "add", "name", "hub", "type", "bridge")
        ip("-n", inside("bridge"), "link", "set", "hub", "up")
        for name in HOSTS:
            ip("-n", inside("bridge"), "link", "add", f"to{name}", "type", "veth", "peer", "name", "eth",
               "netns", inside(name))
            ip("-n", inside("bridge"), "link", "set", f"to{name}", "master", "hub", "up")
            ip("-n", inside(name), "addr", "add", f"{ADDRESS[name]}/24", "dev", "eth")
            ip("-n", inside(name), "link", "set", "eth", "up")
        yield
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


class Host:
    def __init__(self, program, name, *arguments):
        self.name = name
        peers = [f"{ADDRESS[each]}:{PORT}" for each in HOSTS if each != name]
        self.command = [program, *(arguments or [f"{ADDRESS[name]}:{PORT}", *peers])]
        self.start()

    def start(self):
        self.lines = queue.Queue()
        self.history = []
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", inside(self.name), *self.command], stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, args=(self.process.stdout, self.lines), daemon=True).start()

    @staticmethod
    def read(output, lines):
        for line in output:
            lines.put(line.strip())

    def expect(self, *wanted, seconds=15):
        """Waits until it has said all of these, in whatever order."""
        missing = list(wanted)
        end = time.monotonic() + seconds
        while missing:
            try:
                line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                sys.exit(f"{self.name} has not said {missing} in {seconds} s, but {self.history[-10:]}")
            self.history.append(line)
            missing = [each for each in missing if not line.startswith(each)]

    def found(self, *names):
        self.expect(*(f"found {ADDRESS[each]}" for each in names))

    def lost(self, *names):
        self.expect(*(f"lost {ADDRESS[each]}" for each in names))

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        self.signal(signal.SIGTERM)
        self.expect("end:")
        if self.process.wait(timeout=15) != 0:
            sys.exit(f"{self.name} has ended with {self.process.returncode}: {self.history[-5:]}")
        return {what: int(count) for what, count in re.findall(r"(\w+) (\d+)", self.history[-1])}


def link(name, state):
    ip("-n", inside("bridge"), "link", "set", f"to{name}", state)


def play(program):
    hosts = {name: Host(program, name) for name in HOSTS}
    a, b, c = hosts.values()
    a.found("b", "c")
    b.found("a", "c")
    c.found("a", "b")

    print("the cable of b is pulled out, and put in again", flush=True)
    silent = Host(program, "b", "program", f"{ADDRESS['a']}:{PORT}")
    silent.expect("served")
    link("b", "down")
    a.expect(f"lost {ADDRESS['b']}", f"the client at {ADDRESS['b']}:")
    c.lost("b")
    b.lost("a", "c")
    link("b", "up")
    silent.signal(signal.SIGTERM)
    silent.process.wait(timeout=15)
    a.found("b")
    c.found("b")
    b.found("a", "c")

    print("what a sends to c goes nowhere, what c sends arrives", flush=True)
    ip("-n", inside("a"), "route", "add", "blackhole", f"{ADDRESS['c']}/32")
    a.lost("c")
    c.lost("a")
    ip("-n", inside("a"), "route", "del", "blackhole", f"{ADDRESS['c']}/32")
    a.found("c")
    c.found("a")

    print("c stands still, and goes on", flush=True)
    c.signal(signal.SIGSTOP)
    a.lost("c")
    b.lost("c")
    c.signal(signal.SIGCONT)
    a.found("c")
    b.found("c")

    print("b is killed, and another one begins at its address", flush=True)
    b.signal(signal.SIGKILL)
    b.process.wait()
    a.lost("b")
    c.lost("b")
    b.start()
    a.found("b")
    c.found("b")
    b.found("a", "c")

    print("b loses its address, is killed, and begins anew before the others know", flush=True)
    link("b", "down")
    b.signal(signal.SIGKILL)
    b.process.wait()
    link("b", "up")
    b.start()
    b.found("a", "c")
    a.lost("b")
    a.found("b")

    wrong = 0
    for each in hosts.values():
        seen = each.end()
        print(f"{each.name}: {seen}", flush=True)
        all_ended = seen["asked"] == seen["answered"] + seen["failed"]
        wrong += seen["wrong"] + (not all_ended) + (seen["received"] == 0)
    return 1 if wrong else 0


def main():
    program = os.path.abspath(sys.argv[1])
    try:
        with network():
            return play(program)
    except (OSError, subprocess.CalledProcessError) as failure:
        print(f"no network namespaces here, so this is not tried: {failure} "
              f"{getattr(failure, 'stderr', '') or ''}".strip())
        return SKIPPED


if __name__ == "__main__":
    sys.exit(main())
