#!/usr/bin/env python3
# SPDX-License-Identifier: MIT

"""Runs the benchmarks, prints a table and writes a JSON file.

Peers take turns within each workload, so that a slow minute of the machine is everyone's. Each run is a
process of its own: its memory is that workload's alone. A benchmark program answers `list` with a
line `WORKLOAD PEER STRANDS` for each run it offers, `run WORKLOAD PEER STRANDS [--quick]` with a line of
JSON, and `about` with what it is and how it is set up.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
REFERENCE = "costar"

TITLES = {
    "W1a": "ping-pong, 1 pair, 1 message in flight",
    "W1b": "ping-pong, 4 pairs, 4 messages in flight",
    "W2": "a foreign thread sends 10 M messages to one actor",
    "W3": "20 actors send to 2000, 100 messages a turn, 5 s",
    "W4": "1 M actors that wait, then one message to each",
    "W4named": "1 M actors of a class, with a name, restartable",
    "W5a": "ring of 1000 actors, 1 token",
    "W5b": "ring of 1000 actors, 100 tokens",
    "W6a": "request and response, one after the other",
    "W6b": "request and response, 64 outstanding",
    "W7": "tree of actors with 1 M leaves",
    "W8": "ping-pong between two cores, spinning",
    "W8parked": "ping-pong between two cores, both sleep",
    "P1": "pairs that send in batches of 100, two for each thread",
    "R1": "ten nodes in one process, 20 senders, 2000 actors on each, an empty text, 5 s",
    "R1slow": "R1, and R1 with one actor of a hundred that takes 20 ms for a message",
    "R2": "two processes, 1 M pings one way and 1 M pongs back",
    "R2unbatched": "R2 with 200 k pings, each message taken into a batch of its own",
    "R2slow": "R2 to a hundred actors, and the same with one that takes 1 ms for a message",
    "R3": "request and response between two processes, one after the other",
    "R3b": "request and response between two processes, 64 outstanding",
    "R3bslow": "R3b to 99 actors, and the same beside one that takes 1 ms for a request",
    "R4": "messages of 1 MB from one process to another",
    "R4slow": "R4 to 99 actors, and the same beside one that takes 100 ms for a message",
    "R5": "requests of 64 B, alone and while 256 messages of 1 MB go to the same process",
    "R6": "a message to another process, and behind it a request to the same actor",
    "R7": "10 000 links over which nothing goes but heartbeats, 10 s",
    "R7stalled": "requests to 99 peers one after the other, and the same beside one that has stopped reading",
}

# On a machine with two cores. (workload, figure): (limit, is it a minimum, numbers of strands it is for).
TARGETS = {
    ("W1a", "messages"): (40e6, True, (1,)),
    ("W1b", "messages"): (80e6, True, (2,)),
    ("W2", "until the last is handled"): (0.30, False, (1,)),
    ("W2", "peak memory"): (32e6, False, (1,)),
    ("W3", "messages"): (40e6, True, (2,)),
    ("W3", "peak memory"): (64e6, False, (1, 2)),
    ("W4", "spawn all"): (0.2, False, (1, 2)),
    ("W4", "memory of an actor"): (256, False, (1, 2)),
    ("W4", "one message to each"): (0.15, False, (1, 2)),
    ("W4named", "memory of an actor"): (400, False, (1, 2)),
    ("W5a", "messages"): (40e6, True, (1,)),
    ("W5b", "messages"): (70e6, True, (2,)),
    ("W6a", "p50"): (80, False, (1,)),
    ("W6b", "asks"): (30e6, True, (1, 2)),
    ("W7", "until the sum is known"): (0.10, False, (2,)),
    ("W7", "peak memory"): (32e6, False, (1, 2)),
    ("W8", "messages"): (3e6, True, (2,)),
    ("W8parked", "messages"): (25e3, True, (2,)),
    ("R1", "messages"): (3.5e6, True, (2,)),
    ("R1", "peak memory"): (128e6, False, (2,)),
    ("R2", "messages"): (5e6, True, (1,)),
    ("R3b", "asks"): (500e3, True, (1,)),
    ("R5", "times"): (3, False, (1,)),
    ("R6", "p99"): (1e6, False, (1,)),
    ("R7stalled", "times"): (1.1, False, (1,)),
}

# Beside peers, repetition by repetition: (workload, figure): [(peer, times what it has, is that a minimum)].
TARGETS_BESIDE = {
    ("R1", "messages"): [("hollywood", 6, True)],
    ("R2", "messages"): [("protoactor", 5, True)],
    ("R3", "p50"): [("raw-tcp", 1.3, False), ("erlang", 1, False)],
    ("R3b", "asks"): [("erlang", 10, True), ("grpc", 8, True), ("grpc-callback", 8, True)],
    ("R4", "bytes"): [("raw-tcp", 0.8, True), ("erlang", 1, True)],
}


def command_output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=HERE, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def field(path, name):
    """A field of a file with lines `name : value`."""
    try:
        for line in pathlib.Path(path).read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    except OSError:
        pass
    return "?"


def compiler(build):
    """The compiler that built the programs, as the build folder knows it."""
    try:
        log = (build / "meson-logs" / "meson-log.txt").read_text()
        return re.search(r"C\+\+ compiler for the host machine: .*?\((.*?) \"", log)[1]
    except (OSError, TypeError):
        return "?"


def describe_machine(build):
    commit = command_output("git", "rev-parse", "--short", "HEAD") or "none"
    if commit != "none" and command_output("git", "status", "--porcelain"):
        commit += "-changed"
    return {
        "date": datetime.datetime.now().isoformat(timespec="seconds"),
        "commit": commit,
        "cpu": field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": field("/proc/meminfo", "MemTotal"),
        "system": platform.platform(),
        "compiler": compiler(build),
        "load_before": round(os.getloadavg()[0], 2),
    }


class Series:
    """All runs of one workload by one peer with one number of strands."""

    def __init__(self, program, workload, peer, strands):
        self.program, self.workload, self.peer, self.strands = program, workload, peer, strands
        self.runs = []
        self.failure = None

    @property
    def key(self):
        return f"{self.workload} {self.peer} {self.strands}"

    def run(self, quick):
        command = [str(self.program), "run", self.workload, self.peer, str(self.strands)]
        try:
            done = subprocess.run(command + ["--quick"] * quick, capture_output=True, text=True, timeout=300)
        except subprocess.TimeoutExpired:
            self.failure = "did not end within 300 s"
            return None
        if done.returncode != 0:
            self.failure = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            return None
        return json.loads(done.stdout)


def figures_of(run):
    """All figures of a run, memory and CPU time among them: {name: (value, unit, whether more is better)}."""
    figures = {f["name"]: (f["value"], f["unit"], f["better"] == "more") for f in run["figures"]}
    figures["CPU time"] = (run["cpu_seconds"], "s", False)
    figures["peak memory"] = (run["peak_rss_bytes"], "B", False)
    return figures


def with_unit(value, unit):
    scaled = {"s": value, "ns": value}.get(unit)
    if scaled is not None:
        return f"{value:.3f} s" if unit == "s" else f"{value:.0f} ns"
    if unit == "x":
        return f"{value:.2f} x" if value < 10 else f"{value:.1f} x"
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor and not (unit == "B" and value < 10e3):
            return f"{value / factor:.1f} {prefix}{unit}"
    return f"{value:.0f} {unit}"


def verdict(series, name, median, group, quick):
    """Whether all targets of a figure are reached, as far as the peers are there that they name."""
    if quick:
        return ""
    values = [figures_of(run)[name][0] for run in series.runs]
    found = []
    for peer, limit, is_minimum in TARGETS_BESIDE.get((series.workload, name), []):
        theirs = [figures_of(run)[name][0] for each in group if each.peer == peer for run in each.runs]
        if theirs:
            ratio = statistics.median(own / other for own, other in zip(values, theirs))
            found.append(ratio >= limit if is_minimum else ratio <= limit)
    limit, is_minimum, strands = TARGETS.get((series.workload, name), (0, True, ()))
    if series.strands in strands:
        found.append(median >= limit if is_minimum else median <= limit)
    return ("reached" if all(found) else "missed") if found else ""


def target_text(workload, name, strands, unit):
    texts = [f"{'>=' if is_minimum else '<='} {limit} of {peer}"
             for peer, limit, is_minimum in TARGETS_BESIDE.get((workload, name), [])]
    limit, is_minimum, wanted = TARGETS.get((workload, name), (0, True, ()))
    if strands in wanted:
        texts.append((">= " if is_minimum else "<= ") + with_unit(limit, unit))
    return ", ".join(texts)


def rows_of(group, quick):
    """Table rows of the series of one workload. Ratios are run by run, to costar with as many strands."""
    by_strands = {each.strands: each for each in group if each.peer == REFERENCE and each.runs}
    rows = []
    for each in group:
        if not each.runs:
            rows.append([each.workload, each.peer, str(each.strands), each.failure or "no run"] + [""] * 7)
            continue
        all_figures = [figures_of(run) for run in each.runs]
        reference = by_strands.get(each.strands) or next(iter(by_strands.values()), None)
        cpu = statistics.median(run["cpu_seconds"] for run in each.runs)
        for name, (_, unit, more) in all_figures[0].items():
            if name == "CPU time":
                continue
            values = [figures[name][0] for figures in all_figures]
            median = statistics.median(values)
            ratio = ""
            if reference is not None and reference is not each:
                theirs = [figures_of(run).get(name) for run in reference.runs]
                pairs = [(own, other[0]) for own, other in zip(values, theirs) if other and own and other[0]]
                if pairs:
                    ratio = f"{statistics.median(m / o if more else o / m for m, o in pairs):.2f}"
            is_own = each.peer == REFERENCE
            rows.append([
                each.workload, each.peer, str(each.strands), name, with_unit(median, unit),
                f"{with_unit(min(values), unit)} - {with_unit(max(values), unit)}", ratio,
                target_text(each.workload, name, each.strands, unit) if is_own else "",
                verdict(each, name, median, group, quick) if is_own else "",
                f"{cpu:.2f}", str(round(statistics.median(run["allocations"] for run in each.runs))),
            ])
    return rows


HEADER = ["", "peer", "strands", "figure", "median", "min - max", "to costar", "target", "", "CPU s", "new"]


def print_table(rows, out):
    widths = [max(len(row[i]) for row in [HEADER] + rows) for i in range(len(HEADER))]
    before = None
    for row in [HEADER] + rows:
        if row is not HEADER and row[0] != before:
            before = row[0]
            print(f"\n{before}: {TITLES.get(before, '')}", file=out)
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip(), file=out)


def programs_in(build, with_curves, between_processes):
    names = ["bench_costar", "bench_asio", "bench_loop", "bench_caf", "bench_features"]
    names += ["bench_scaling"] * with_curves
    if between_processes:
        names = ["remote/bench_remote", "remote/bench_remote_tcp", "remote/bench_remote_kj"]
        names += ["bench_caf_between", "bench_grpc"]
    return [path for path in (build / "benchmarks" / name for name in names) if path.exists()]


def offered_by(program):
    listed = subprocess.run([str(program), "list"], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        workload, peer, strands = line.split()
        yield Series(program, workload, peer, int(strands))


def about(programs):
    """What each peer is: {name: {"version", "language", "settings"}}."""
    known = {}
    for program in programs:
        try:
            found = json.loads(command_output(str(program), "about"))["peer"]
            known[found.pop("name")] = found
        except (ValueError, KeyError):
            print(f"{program} does not say what it is", file=sys.stderr)
    return known


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build", help="the build folder")
    parser.add_argument("--program", type=pathlib.Path, action="append", default=[],
                        help="a benchmark program more, beside those of the build folder")
    parser.add_argument("--curves", action="store_true", help="how costar scales, too")
    parser.add_argument("--remote", action="store_true", help="R1 to R7, between processes, and nothing else")
    parser.add_argument("--only", default="", help="workloads, as W1a,W3; W4 stands for W4named too")
    parser.add_argument("--peers", default="", help="peers, as costar,asio-strand")
    parser.add_argument("-n", "--repetitions", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="every run once with few messages")
    parser.add_argument("--output", type=pathlib.Path, help="the JSON file; else results/DATE-COMMIT.json")
    args = parser.parse_args()

    programs = [each.resolve() for each in programs_in(args.build, args.curves, args.remote) + args.program]
    if not programs:
        sys.exit(f"there is no benchmark program in {args.build / 'benchmarks'}: run `make bench`")
    all_series = [series for program in programs for series in offered_by(program)]
    all_series = [each for each in all_series if each.workload.startswith("R") == args.remote]
    if args.only:
        wanted = args.only.split(",")
        all_series = [e for e in all_series if any(re.fullmatch(w + "[a-z]*", e.workload) for w in wanted)]
    if args.peers:
        all_series = [each for each in all_series if each.peer in args.peers.split(",")]
    if not all_series:
        sys.exit("nothing is offered under these names")

    machine = describe_machine(args.build)
    print(", ".join(f"{key} {value}" for key, value in machine.items()), flush=True)
    repetitions = 1 if args.quick else args.repetitions
    rows, failed = [], False
    known = list(TITLES)
    for workload in sorted(dict.fromkeys(each.workload for each in all_series),
                           key=lambda each: known.index(each) if each in known else len(known)):
        group = [each for each in all_series if each.workload == workload]
        for turn in range(0 if args.quick else -1, repetitions):
            for each in group:
                if each.failure:
                    continue
                run = each.run(args.quick)
                if run is None:
                    print(f"  {each.key}: {each.failure}", flush=True)
                    failed = failed or each.peer == REFERENCE  # what a peer cannot do is part of the result
                    continue
                shown = ", ".join(f"{f['name']} {with_unit(f['value'], f['unit'])}" for f in run["figures"])
                print(f"  {each.key} {'warm-up' if turn < 0 else turn + 1}: {shown}", flush=True)
                if turn >= 0:
                    each.runs.append(run)
        rows += rows_of(group, args.quick)
    print()
    print_table(rows, sys.stdout)

    if not args.quick or args.output:
        output = args.output
        if output is None:
            folder = HERE / "results"
            folder.mkdir(exist_ok=True)
            output = folder / f"{machine['date'][:10]}-{machine['commit']}.json"
        machine["load_after"] = round(os.getloadavg()[0], 2)
        document = {"machine": machine, "command": sys.argv, "peers": about(programs),
                    "failures": {e.key: e.failure for e in all_series if e.failure},
                    "runs": {e.key: e.runs for e in all_series if not e.failure}}
        output.write_text(json.dumps(document, indent=1) + "\n")
        print(f"\nwritten to {output}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
