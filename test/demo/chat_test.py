#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Has processes talk in the room of the chat, one of which is killed, and checks what each is told.

Usage: chat_test.py PROGRAM
"""

import queue
import signal
import subprocess
import sys
import threading

SECONDS = 30  # for a line to come; it takes a thousandth of that


class Process:
    """A program whose output is read line by line."""

    started = []

    def __init__(self, *command):
        self.lines = queue.Queue()
        self.history = []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        Process.started.append(self)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def next(self):
        try:
            line = self.lines.get(timeout=SECONDS)
        except queue.Empty:
            line = f"nothing for {SECONDS} s"
        self.history.append(line)
        return line

    def expect(self, *wanted):
        """The next lines are these, and no others come between."""
        for line in wanted:
            if self.next() != line:
                raise AssertionError(f"{line!r} was to come, but it said {self.history}")

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self, code=0):
        """It says nothing more, and ends with this code."""
        self.expect(None)
        if self.process.wait(timeout=SECONDS) != code:
            raise AssertionError(f"it ended with {self.process.returncode} instead of {code}: {self.history}")

    def kill(self):
        self.process.kill()
        self.process.wait()


class Server(Process):
    def __init__(self, program, *arguments):
        super().__init__(program, "serve", "--listen", "127.0.0.1:0", *arguments)
        self.program = program
        self.address = self.next().removeprefix("node ")

    def join(self, nick):
        return Process(self.program, "join", self.address, "--nick", nick)


def talk(server):
    ada = server.join("ada")
    ada.expect("* you are ada, and alone")
    bob = server.join("bob")
    bob.expect("* you are bob, with ada")
    ada.expect("* bob came")

    bob.say("hello")
    ada.expect("bob: hello")
    bob.expect("bob: hello")
    ada.say("/who")
    ada.expect("* here: ada, bob")
    ada.say("/dance")
    ada.expect("* there is /who, and /leave")
    ada.say("Zoë says <b>hi</b>")
    for each in ada, bob:
        each.expect("ada: Zoë says <b>hi</b>")
    ada.say("\x1b[2J")
    ada.expect("* nobody has heard that: what you say is UTF-8, without control characters")
    ada.say("x" * 1001)
    ada.expect("* nobody has heard that: what you say has 1 to 1000 bytes")

    for nick, why in {"ada": "somebody is called ada already",
                      "two words": "a nick has 1 to 24 bytes, without spaces, colons, slashes, asterisks and "
                                   "angle brackets"}.items():
        refused = server.join(nick)
        refused.expect(f"* you are not in: {why}")
        refused.end(1)

    bob.kill()
    ada.expect("* bob is gone")
    bob = server.join("bob")
    bob.expect("* you are bob, with ada")
    ada.expect("* bob came")
    bob.say("/leave")
    bob.end()
    ada.expect("* bob left")
    eve = server.join("eve")
    ada.expect("* eve came")
    eve.process.stdin.close()
    ada.expect("* eve left")
    eve.expect("* you are eve, with ada")
    eve.end()
    return ada


def main(program):
    server = Server(program)
    ada = talk(server)
    server.process.send_signal(signal.SIGTERM)
    ada.expect("* the room is closed")
    ada.end()
    server.end()

    server = Server(program)
    ada = server.join("ada")
    ada.expect("* you are ada, and alone")
    server.kill()
    ada.expect("* the room is out of reach")
    ada.end(1)
    server.join("bob").end(2)  # nobody is there


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    finally:
        for each in Process.started:
            each.kill()
