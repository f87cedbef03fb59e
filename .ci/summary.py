#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Adds up the results of one or several `meson test` runs and prints them as `N passed, N failed`.

Usage: summary.py meson-logs/testlog.json...
"""

import json
import pathlib
import sys


def results(path):
    """What each test of a run came to; nothing for a run that never began."""
    log = pathlib.Path(path)
    return [json.loads(line)["result"] for line in log.read_text().splitlines()] if log.exists() else []


def main(*paths):
    passed = failed = 0
    for path in paths:
        for result in results(path):
            if result in ("OK", "EXPECTEDFAIL"):
                passed += 1
            elif result != "SKIP":
                failed += 1
    print(f"{passed} passed, {failed} failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
