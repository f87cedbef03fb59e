#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a demo and compares what it prints, character by character, with what is expected of it.

Usage: run.py PROGRAM EXPECTED [ARGUMENT...]
"""

import difflib
import pathlib
import subprocess
import sys

SECONDS = 30


def main(program, expected_file, *arguments):
    expected = pathlib.Path(expected_file).read_text()
    try:
        run = subprocess.run(
            [program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"{program}: did not end within {SECONDS} s"
    if run.returncode != 0:
        return f"{program}: ended with {run.returncode}\n{run.stdout}{run.stderr}"
    if run.stdout != expected:
        lines = difflib.unified_diff(
            expected.splitlines(True), run.stdout.splitlines(True), expected_file, "what it printed")
        return "".join(lines)
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
