#!/usr/bin/env python3
# SPDX-License-Identifier: MIT

"""Runs bench_growth and writes how costs grow with the number of other things.

Usage: growth.py BUILD [--most N] [--output RESULT.json]

For each operation the time at each number and the exponent: with which power of the number it grows, from the
smallest to the largest that was measured. report.py makes a table of the file.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys


def exponent(times):
    """0 for a cost that stays the same, 1 for one that grows with the number."""
    (first, least), (last, most) = min(times.items()), max(times.items())
    return math.log(most / least) / math.log(last / first) if last > first else 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--most", type=int, default=1_000_000)
    parser.add_argument(
        "--output", type=pathlib.Path, default=pathlib.Path(__file__).parent / "results" / "growth.json"
    )
    args = parser.parse_args()
    command = [args.build / "benchmarks" / "bench_growth", str(args.most)]
    operations = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        for line in running.stdout:
            found = json.loads(line)
            known = operations.setdefault(found["operation"], {"documented": found["documented"], "ns": {}})
            known["ns"][found["n"]] = found["ns"]
            print(f"{found['operation']}, n = {found['n']}: {found['ns']:.0f} ns", flush=True)
    if running.returncode != 0:
        sys.exit(f"bench_growth ended with {running.returncode}")
    for each in operations.values():
        each["exponent"] = round(exponent(each["ns"]), 2)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(operations, indent=1) + "\n")
    for name, each in operations.items():
        print(f"{each['exponent']:5.2f}  {name}")


if __name__ == "__main__":
    main()
