#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the peer that is made of the frozen copy of the protocol against a node of today.

Usage: frozen_test.py NODE PEER
"""

import subprocess
import sys

CASES = [
    "greet", "find", "send and ask", "ask what nobody there knows", "be watched, told and asked",
    "tell of an end", "spawn", "watch, wait for an end, and stop", "watch who has ended", "ping", "parts",
    "without the last fields", "be dialled", "ask as a client", "be pinged", "the newest that both speak",
    "nothing in common"]


def main(node, peer):
    with subprocess.Popen([node], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as serving:
        try:
            address = serving.stdout.readline().strip()
            talking = subprocess.run([peer, address], stdout=subprocess.PIPE, text=True, timeout=90)
            expected = "".join(f"{case}: ok\n" for case in CASES)
            if talking.stdout != expected or talking.returncode != 0:
                sys.exit(f"the peer ended with {talking.returncode} and printed\n{talking.stdout}\n"
                         f"and not\n{expected}")
            serving.stdin.close()
            if serving.wait(timeout=20) != 0:
                sys.exit(f"the node ended with {serving.returncode}")
        finally:
            serving.kill()
    print(f"{len(CASES)} cases ok")


if __name__ == "__main__":
    main(*sys.argv[1:])
