#!/usr/bin/env python3
# SPDX-License-Identifier: MIT

"""Lets mixed traffic run for long: bench_soak in one engine, and HTTP clients against the account service.

Usage: soak.py BUILD_FOLDER [--seconds 600] [--output FILE]

Fails when anything was lost, when memory grows after the first tenth of the time, or when requests become
slower.
"""

import argparse
import http.client
import json
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys
import threading
import time

ACCOUNTS = 50
CLIENTS = 4
OPENED_WITH = 1_000_000
DESCRIPTION = (
    "`make soak ARGS=\"--seconds {}\"`: 32 actors and two foreign threads send to 100 actors, ask them, let "
    "them crash and let children live and die, while HTTP clients transfer money, let accounts crash and "
    "vanish in the middle of requests. A worker that handles a slow request keeps others waiting, hence the "
    "99th percentile. Counts are totals so far; resident memory is that of the engine and of the service. "
)


def resident_bytes(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


class Bank:
    """The account service under load by a few clients that never wait long. Money must stay what it was."""

    def __init__(self, program):
        self.process = subprocess.Popen(
            [program, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.port = int(re.search(r"http://127\.0\.0\.1:(\d+)", self.process.stdout.readline())[1])
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        self.answered, self.failed, self.ending = [0] * CLIENTS, 0, threading.Event()
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        for number in range(ACCOUNTS):
            self.ask(link, "POST", f"/accounts/s{number}/deposit", {"amount": OPENED_WITH})
        link.close()
        self.threads = [threading.Thread(target=self.client, args=(n,)) for n in range(CLIENTS)]
        for each in self.threads:
            each.start()

    @staticmethod
    def ask(link, method, path, body=None):
        link.request(method, path, json.dumps(body) if body is not None else None)
        answer = link.getresponse()
        return answer.status, answer.read()

    def client(self, number):
        chance = random.Random(number)
        any_account = lambda: f"s{chance.randrange(ACCOUNTS)}"
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            while not self.ending.is_set():
                one, other = chance.sample(range(ACCOUNTS), 2)
                transfer = {"from": f"s{one}", "to": f"s{other}", "amount": chance.randrange(1, 100)}
                for request in (("POST", "/transfers", transfer), ("GET", f"/accounts/{any_account()}")):
                    status, _ = self.ask(link, *request)
                    self.failed += status >= 500
                    self.answered[number] += 1
                if chance.randrange(100) == 0:
                    self.ask(link, "POST", f"/accounts/{any_account()}/crash", {})
                if chance.randrange(100) == 0:  # one that vanishes in the middle of a request
                    link.close()
                    link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                    link.putrequest("POST", "/transfers")
                    link.putheader("Content-Length", "100")
                    link.endheaders(b'{"from"')
                    link.close()
                    link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                time.sleep(0.01)
        except OSError:
            self.failed += 1
        link.close()

    def close(self):
        """What went wrong, in words."""
        self.ending.set()
        for each in self.threads:
            each.join()
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        accounts = [json.loads(self.ask(link, "GET", f"/accounts/s{n}")[1]) for n in range(ACCOUNTS)]
        money = sum(account["balance"] for account in accounts)
        link.close()
        self.process.send_signal(signal.SIGINT)
        wrong = []
        if self.failed:
            wrong.append(f"{self.failed} HTTP requests failed")
        if money != ACCOUNTS * OPENED_WITH:
            wrong.append(f"the accounts hold {money} instead of {ACCOUNTS * OPENED_WITH}")
        if self.process.wait(timeout=30) != 0:
            wrong.append(f"the service ended with {self.process.returncode}")
        return wrong


def faults(lines, service_bytes):
    """Growth and creep between the first tenth and the last."""
    first, last = lines[0], lines[-1]
    wrong = []
    for name, before, after in (
        ("the engine", first["resident_bytes"], last["resident_bytes"]),
        ("the service", service_bytes[0], service_bytes[-1]),
    ):
        if after > before * 1.1 + 2e6:
            wrong.append(f"{name} grew from {before / 1e6:.1f} to {after / 1e6:.1f} MB")
    early = statistics.median(line["p99_us"] for line in lines[: len(lines) // 2])
    late = statistics.median(line["p99_us"] for line in lines[len(lines) // 2 :])
    if late > 3 * early:
        wrong.append(f"the 99th percentile of a request crept from {early} to {late} us")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--output", type=pathlib.Path, help="a JSON file for report.py")
    args = parser.parse_args()
    if args.seconds < 10:
        parser.error("it takes ten seconds at least")

    bank = Bank(args.build / "demos" / "service")
    soak = subprocess.Popen(
        [args.build / "benchmarks" / "bench_soak", str(args.seconds)], stdout=subprocess.PIPE, text=True
    )
    rows, lines, service_bytes = [], [], []
    for line in soak.stdout:
        print(line, end="", flush=True)
        found = json.loads(line)
        if "second" not in found:
            continue
        lines.append(found)
        service_bytes.append(resident_bytes(bank.process))
        rows.append(
            [
                f"{found['second'] / 60:.1f}",
                f"{found['messages']:,}",
                f"{found['asks']:,}",
                f"{sum(bank.answered):,}",
                f"{found['crashes']:,}",
                found["p50_us"],
                found["p99_us"],
                f"{found['resident_bytes'] / 1e6:.1f} + {service_bytes[-1] / 1e6:.1f}",
            ]
        )
    wrong = bank.close()
    if soak.wait() != 0:
        wrong.append("messages or requests were lost")
    wrong += faults(lines, service_bytes)
    for each in wrong:
        print(f"soak: {each}", file=sys.stderr)
    if args.output:
        args.output.write_text(
            json.dumps(
                {
                    "description": DESCRIPTION.format(args.seconds)
                    + ("Nothing was lost." if not wrong else "WRONG: " + "; ".join(wrong) + "."),
                    "rows": rows,
                },
                indent=1,
            )
            + "\n"
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
