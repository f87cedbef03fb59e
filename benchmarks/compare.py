#!/usr/bin/env python3
# SPDX-License-Identifier: MIT

"""Compares two result files of run.py and says what a change cost, figure by figure.

There is a verdict only where the repetitions allow one: an exact rank test (Mann and Whitney, 1947) in which
fewer than one in twenty orders of the same values would be as one-sided, and a median that moved by 2 % or
more.
"""

import argparse
import itertools
import json
import pathlib
import random
import statistics
import sys

LEVEL = 0.05
LEAST = 0.02


def chance(old, new):
    """How likely two samples of one distribution differ in rank as much as these do."""
    def distance(sample, rest):
        above = sum((a > b) + 0.5 * (a == b) for a in sample for b in rest)
        return abs(above - len(sample) * len(rest) / 2)

    found = distance(old, new)
    values = old + new
    indices = range(len(values))

    def is_as_far(chosen):
        chosen = set(chosen)
        return distance([values[i] for i in chosen], [values[i] for i in indices if i not in chosen]) >= found

    if len(values) <= 14:
        results = [is_as_far(chosen) for chosen in itertools.combinations(indices, len(old))]
    else:
        source = random.Random(2026)
        results = [is_as_far(source.sample(indices, len(old))) for _ in range(5000)]
    return sum(results) / len(results)


def values_of(runs):
    """The values of each figure over all runs: {name: (values, unit, more is better)}."""
    figures = {}
    for run in runs:
        listed = [(f["name"], f["value"], f["unit"], f["better"] == "more") for f in run["figures"]]
        listed.append(("CPU time", run["cpu_seconds"], "s", False))
        listed.append(("peak memory", run["peak_rss_bytes"], "B", False))
        for name, value, unit, more in listed:
            figures.setdefault(name, ([], unit, more))[0].append(value)
    return figures


def compare(old, new):
    """A row for each figure that both have: key, name, medians, change in percent of gain, verdict."""
    rows = []
    for key, runs in new["runs"].items():
        before, after = values_of(old["runs"].get(key, [])), values_of(runs)
        for name, (values, unit, more) in after.items():
            if name not in before:
                continue
            earlier = before[name][0]
            was, now = statistics.median(earlier), statistics.median(values)
            if was == 0 or now == 0:
                continue
            gain = now / was - 1 if more else was / now - 1
            if min(len(earlier), len(values)) < 4:
                said = "too few runs"
            elif abs(gain) < LEAST or chance(earlier, values) >= LEVEL:
                said = "no difference seen"
            else:
                said = "better" if gain > 0 else "WORSE"
            rows.append((key, name, was, now, unit, gain, said))
    return rows


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=pathlib.Path)
    parser.add_argument("new", type=pathlib.Path)
    args = parser.parse_args(arguments)
    old, new = (json.loads(path.read_text()) for path in (args.old, args.new))
    for what in ("cpu", "compiler", "system"):
        if old["machine"].get(what) != new["machine"].get(what):
            print(f"not the same {what}: {old['machine'].get(what)} and {new['machine'].get(what)}")
    rows = compare(old, new)
    if not rows:
        sys.exit("the files have no run in common")
    width = max(len(f"{key}, {name}") for key, name, *_ in rows)
    for key, name, was, now, unit, gain, said in rows:
        print(f"{key + ', ' + name:{width}}  {was:12.5g} -> {now:12.5g} {unit:7} {gain:+7.1%}  {said}")
    return 1 if any(row[-1] == "WORSE" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
