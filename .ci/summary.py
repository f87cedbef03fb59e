#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Adds up the results of one or several `meson test` runs and prints them as `N passed, N failed`, behind the
lines in which a test says how much it has checked.

Usage: summary.py meson-logs/testlog.json...
"""

import json
import pathlib
import sys


def tests(path):
    """What each test of a run came to; nothing for a run that never began."""
    log = pathlib.Path(path)
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def main(*paths):
    passed = failed = 0
    for path in paths:
        for test in tests(path):
            if test["result"] in ("OK", "EXPECTEDFAIL"):
                passed += 1
            elif test["result"] != "SKIP":
                failed += 1
            for line in test.get("stdout", "").splitlines():
                if line.startswith("guarantees: "):
                    print(f"{pathlib.Path(path).parts[0]}: {line}")
    print(f"{passed} passed, {failed} failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
