#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Loads the account service and the plain Beast server with wrk, in turn, and compares them.

Usage: service_load.py SERVICE PLAIN_SERVICE [--seconds 2] [--repetitions 11] [--connections 64] [--threads 1]
                       [--kinds deposit,read,transfer,mixed] [--output FILE]

Both run on the same machine as wrk and share its cores, so the figures are good for comparing only.
Where other programs run too, the processor time of a request says more than requests per second.
"""

import argparse
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import urllib.request

SCRIPT = pathlib.Path(__file__).resolve().parent / "service_load.lua"
ACCOUNTS = 1000


class Server:
    """A server on a port of its own choice, with its accounts opened."""

    def __init__(self, program, arguments):
        self.process = subprocess.Popen(
            [program, "--port", "0", *arguments], stdout=subprocess.PIPE, text=True)
        found = re.search(r"http://127\.0\.0\.1:\d+", self.process.stdout.readline())
        self.url = found[0]
        for number in range(1, ACCOUNTS + 1):
            body = json.dumps({"amount": 1_000_000}).encode()
            urllib.request.urlopen(f"{self.url}/accounts/a{number}/deposit", body).read()

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate()
        return self.process.returncode


def load(server, kind, options):
    """Requests per second, 99th percentile in ms, processor time of a request in us; and failures."""
    before = server.processor_seconds()
    output = subprocess.run(
        ["wrk", "-t", str(options.threads), "-c", str(options.connections), "-d", f"{options.seconds}s",
         "--latency", "-s", str(SCRIPT), server.url, "--", kind],
        capture_output=True, text=True, check=True).stdout
    requests, micros, p99, errors = map(int, re.search(r"RESULT (\d+) (\d+) (\d+) (\d+)", output).groups())
    used = (server.processor_seconds() - before) / max(requests, 1) * 1e6
    return (requests / (micros / 1e6), p99 / 1e3, used), errors


def spread(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def compare(servers, kind, options):
    """Runs of both servers in turn, after one to warm up, and how many requests failed."""
    figures = {name: [] for name in servers}
    failed = 0
    for repetition in range(-1, options.repetitions):
        # Who begins changes, so neither always runs on what the other one left.
        for name in sorted(servers, reverse=repetition % 2 == 1):
            measured, errors = load(servers[name], kind, options)
            failed += errors
            if repetition >= 0:
                figures[name].append(measured)
    return figures, failed


def summary(figures):
    """Medians, and costar's share of the rate and of the processor time: median, least, most of the pairs."""
    made = {name: [statistics.median(each) for each in zip(*runs)] for name, runs in figures.items()}
    for index, ratio in ((0, "rate_ratio"), (2, "processor_ratio")):
        pairs = [ours[index] / theirs[index] for ours, theirs in zip(figures["costar"], figures["plain"])]
        made[ratio] = [statistics.median(pairs), min(pairs), max(pairs)]
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("service")
    parser.add_argument("plain_service")
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=11)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kinds", default="deposit,read,transfer,mixed")
    parser.add_argument("--output", type=pathlib.Path, help="a JSON file for report.py")
    parser.add_argument("--arguments", default="", help="further arguments of both servers")
    options = parser.parse_args()

    failed = 0
    kinds = {}
    servers = {}
    print(f"wrk: {options.connections} connections, {options.threads} threads, {options.repetitions} runs of "
          f"{options.seconds} s each after one to warm up, the servers in turn; median (min-max)")
    print(f"{'requests':<9} {'server':<7} {'requests/s':>24} {'p99 ms':>20} {'cpu us/request':>20}  "
          "pair by pair")
    try:
        for name, program in (("plain", options.plain_service), ("costar", options.service)):
            servers[name] = Server(program, options.arguments.split())
        for kind in options.kinds.split(","):
            figures, errors = compare(servers, kind, options)
            failed += errors
            kinds[kind] = summary(figures)
            for name, runs in figures.items():
                rate, tail, used = zip(*runs)
                ratios = ""
                if name == "costar":
                    ratios = "rate {:.0%} ({:.0%}-{:.0%})".format(*kinds[kind]["rate_ratio"])
                    ratios += ", cpu {:.0%} ({:.0%}-{:.0%})".format(*kinds[kind]["processor_ratio"])
                print(f"{kind:<9} {name:<7} {spread(rate, 0):>24} {spread(tail, 2):>20} "
                      f"{spread(used, 1):>20}  {ratios}", flush=True)
    finally:
        failed += sum(server.stop() != 0 for server in servers.values())
    if options.output:
        options.output.write_text(json.dumps({
            "seconds": options.seconds, "repetitions": options.repetitions,
            "connections": options.connections, "threads": options.threads, "kinds": kinds}, indent=1) + "\n")
    if failed:
        print(f"{failed} requests or servers failed", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
