#!/usr/bin/env python3
# SPDX-License-Identifier: MIT

"""Writes docs/benchmarks.md and its pictures from result files of run.py, service_load.py and soak.

Usage: report.py RESULT.json [--service SERVICE.json] [--soak SOAK.json] [--idle IDLE.json]
                 [--growth GROWTH.json] [--remote REMOTE.json] [--docs FOLDER]

The numbers on that page come from here and from nowhere else.
"""

import argparse
import json
import pathlib
import statistics
import sys

from run import REFERENCE, TARGETS, TARGETS_BESIDE, TITLES, figures_of, with_unit

LIMITS = ("loop",)  # no actor system and no library: the limit of what the machine does
LIBRARIES = ("asio-strand", "asio-channel")  # what a user would write without an actor system
RPC = ("kj", "grpc", "grpc-callback", "grpc-stream")  # the same without actors
WIRE = ("raw-tcp",)  # the limit between processes
VARIANTS = ("costar-tls", "costar-unix")
BESIDE = ("hollywood", "protoactor", "erlang", "caf") + RPC  # between processes
WORKLOADS = (
    "W1a",
    "W1b",
    "W2",
    "W3",
    "W4",
    "W4named",
    "W5a",
    "W5b",
    "W6a",
    "W6b",
    "W7",
    "W8",
    "W8parked",
    "P1",
)
CURVES = {
    "pairs": "pairs of ping-pong",
    "actors": "actors that are sent to",
    "bytes": "bytes of a message",
    "senders": "foreign threads that send",
}
FEATURES = {
    "Fplain": "a message and its answer between two actors, to compare with",
    "Fmiddleware1": "the same, one of them with middleware",
    "Fmiddleware5": "the same, with five pieces of middleware",
    "Fbounded": "`send_async` into a mailbox with room for 64",
    "Fwatch": "an actor is spawned, watched and stopped, and its `terminated` received",
    "Frestart": "a crash, the restart, and a message handled after it",
    "Ftimer": "`send_after` set up and cancelled",
    "Fdeadline": "`with_timeout` around a task that is ready",
    "Frouter": "a message and its answer through a round-robin router",
}
COLOURS = {"costar": "#c2410c", "loop": "#9ca3af"}


class Results:
    """The figures of a result file: medians of each workload, peer, number of strands and figure."""

    def __init__(self, path):
        document = json.loads(pathlib.Path(path).read_text())
        self.machine = document["machine"]
        self.command = document["command"]
        self.peers = document.get("peers", {})
        self.failures = document.get("failures", {})
        self.runs = {tuple(key.split()): runs for key, runs in document["runs"].items() if runs}

    def workloads(self):
        return list(dict.fromkeys(key[0] for key in self.runs))

    def series(self, workload):
        """(peer, strands, runs) of a workload, costar first."""
        found = [
            (peer, int(strands), runs)
            for (name, peer, strands), runs in self.runs.items()
            if name == workload
        ]
        return sorted(found, key=lambda each: (each[0] != REFERENCE, each[0] in LIMITS, each[0], each[1]))

    def figures(self, workload):
        """Names of the figures of a workload, with unit and whether more is better."""
        for _, _, runs in self.series(workload):
            return {
                name: (unit, more)
                for name, (_, unit, more) in figures_of(runs[0]).items()
                if name not in ("CPU time", "peak memory")
            }
        return {}

    def values(self, workload, figure):
        """{(peer, strands): values}"""
        found = {}
        for peer, strands, runs in self.series(workload):
            values = [figures_of(run)[figure][0] for run in runs if figure in figures_of(run)]
            if values:
                found[peer, strands] = values
        return found

    def best(self, workload, figure, more):
        """{peer: (median, strands)} with the number of strands that suits each peer best."""
        found = {}
        for (peer, strands), values in self.values(workload, figure).items():
            median = statistics.median(values)
            if peer not in found or (median > found[peer][0] if more else median < found[peer][0]):
                found[peer] = (median, strands)
        return found


def is_actor_peer(peer):
    return peer != REFERENCE and peer not in LIMITS + LIBRARIES + RPC + WIRE + VARIANTS


def gain(own, other, more):
    """How many times better `own` is than `other`."""
    return own / other if more else other / own


def leader(results, workload, figure, more, among):
    """The best peer among some, its median, and how many times better costar is."""
    best = results.best(workload, figure, more)
    peers = {peer: value for peer, (value, _) in best.items() if among(peer)}
    if REFERENCE not in best or not peers:
        return None
    chosen = (max if more else min)(peers, key=peers.get)
    return chosen, peers[chosen], gain(best[REFERENCE][0], peers[chosen], more)


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def summary(results, workloads, libraries, limits):
    """Each figure of some workloads beside the best of each kind of peers; `libraries` and `limits` are
    (title, names)."""
    kinds = [("best actor system, costar is times better", is_actor_peer)]
    kinds += [(title, names.__contains__) for title, names in (libraries, limits)]
    rows = []
    for workload in workloads:
        for figure, (unit, more) in results.figures(workload).items():
            best = results.best(workload, figure, more)
            if REFERENCE not in best:
                continue
            row = [workload, figure, with_unit(best[REFERENCE][0], unit)]
            for _, among in kinds:
                found = leader(results, workload, figure, more, among)
                row.append(f"{found[0]} {with_unit(found[1], unit)}, **{found[2]:.2f}**" if found else "")
            rows.append(row)
    return table(["", "figure", "costar", *(title for title, _ in kinds)], rows)


def details(results, workload):
    rows = []
    for figure, (unit, more) in results.figures(workload).items():
        reference = {
            strands: values
            for (peer, strands), values in results.values(workload, figure).items()
            if peer == REFERENCE
        }
        for peer, strands, runs in results.series(workload):
            values = results.values(workload, figure).get((peer, strands))
            if values is None:
                continue
            pairs = list(zip(values, reference.get(strands) or next(iter(reference.values()), [])))
            ratio = (
                statistics.median(gain(own, costar, more) for own, costar in pairs if own and costar)
                if pairs and peer != REFERENCE
                else None
            )
            rows.append(
                [
                    peer,
                    strands,
                    figure,
                    with_unit(statistics.median(values), unit),
                    f"{with_unit(min(values), unit)} to {with_unit(max(values), unit)}",
                    f"{ratio:.2f}" if ratio is not None else "",
                    f"{statistics.median(run['cpu_seconds'] for run in runs):.2f}",
                    f"{statistics.median(run['peak_rss_bytes'] for run in runs) / 1e6:.0f}",
                    len(runs),
                    runs[0]["in_flight"] or "unbounded",
                    runs[0]["note"],
                ]
            )
    return table(
        [
            "",
            "threads",
            "figure",
            "median",
            "range",
            "to costar",
            "CPU s",
            "peak MB",
            "runs",
            "in flight",
            "note",
        ],
        rows,
    )


def targets(results):
    """What costar set itself for a machine with two cores, and what it reached."""
    rows = []
    for (workload, figure), (limit, is_minimum, strands) in TARGETS.items():
        if workload not in results.workloads():
            continue
        unit = figures_of(results.series(workload)[0][2][0])[figure][1]
        found = {
            own: values
            for (peer, own), values in results.values(workload, figure).items()
            if peer == REFERENCE and own in strands
        }
        if not found:
            continue
        choose = max if is_minimum else min
        own, values = choose(found.items(), key=lambda each: statistics.median(each[1]))
        median, best = statistics.median(values), choose(values)

        def reaches(value):
            return value >= limit if is_minimum else value <= limit

        rows.append(
            [
                workload,
                figure,
                own,
                (">= " if is_minimum else "<= ") + with_unit(limit, unit),
                with_unit(median, unit),
                with_unit(best, unit),
                (
                    "reached"
                    if reaches(median)
                    else "reached by its best run only" if reaches(best) else "missed"
                ),
            ]
        )
    return table(["", "figure", "strands", "target", "median", "best run", ""], rows)


def ratios_beside(results, workload, figure, peer):
    """What costar has of what a peer did in the same repetition."""
    values = results.values(workload, figure)
    own, theirs = ([v for (name, _), v in values.items() if name == each] for each in (REFERENCE, peer))
    return [a / b for a, b in zip(own[0], theirs[0]) if b] if own and theirs else []


def targets_beside(results):
    """The same where the target is a part or a multiple of what a peer did in the same repetition."""
    rows = []
    for (workload, figure), beside in TARGETS_BESIDE.items():
        for peer, limit, is_minimum in beside:
            ratios = ratios_beside(results, workload, figure, peer)
            if not ratios:
                continue
            median = statistics.median(ratios)
            is_reached = median >= limit if is_minimum else median <= limit
            rows.append(
                [
                    workload,
                    figure,
                    f"{'>=' if is_minimum else '<='} {limit} of {peer}",
                    f"{median:.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
                    "reached" if is_reached else "missed",
                ]
            )
    return table(["", "figure", "target", "median of the ratios", ""], rows)


def times_better(results):
    """How many times better than each actor system and each RPC costar is, repetition by repetition."""
    peers = [each for each in BESIDE if any(key[1] == each for key in results.runs)]
    rows = []
    for workload in results.workloads():
        for figure, (unit, more) in results.figures(workload).items():
            cells = []
            for peer in peers:
                ratios = ratios_beside(results, workload, figure, peer)
                gains = [ratio if more else 1 / ratio for ratio in ratios if ratio]
                cells.append(f"**{statistics.median(gains):.2f}**" if gains else "")
            if any(cells):
                own = results.best(workload, figure, more)[REFERENCE][0]
                rows.append([workload, figure, with_unit(own, unit), *cells])
    return table(["", "figure", "costar", *peers], rows) if rows else []


# Pictures
# ------------------------------------------------------------------------------------------------------------


def draw(folder, name, figure):
    path = folder / f"{name}.svg"
    figure.savefig(path, metadata={"Date": None})
    # One way to end a line, whatever drew it.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def colour(peer, others):
    return (
        COLOURS.get(peer)
        or ("#1d4ed8", "#0f766e", "#7e22ce", "#a16207", "#be185d", "#15803d", "#4b5563")[
            others.index(peer) % 7
        ]
    )


def draw_bars(plot, results, folder, name, panels):
    """A panel for each workload and figure: a bar for each peer with its ratio to the best actor system."""
    others = sorted({key[1] for key in results.runs} - {REFERENCE, "loop"})
    columns = 3
    rows = -(-len(panels) // columns)
    figure, axes = plot.subplots(rows, columns, figsize=(13, 2.6 * rows), squeeze=False, layout="constrained")
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    for axis, (workload, name_of_figure) in zip(axes.flat, panels):
        unit, more = results.figures(workload)[name_of_figure]
        best = results.best(workload, name_of_figure, more)
        peers = sorted(best, key=lambda peer: best[peer][0], reverse=not more)
        standard = [best[peer][0] for peer in peers if is_actor_peer(peer)]
        standard = (max if more else min)(standard) if standard else best[peers[0]][0]
        values = [best[peer][0] for peer in peers]
        axis.barh(peers, values, color=[colour(peer, others) for peer in peers])
        for at, peer in enumerate(peers):
            axis.text(
                values[at],
                at,
                f" {with_unit(values[at], unit)}  ×{gain(values[at], standard, more):.2g}",
                va="center",
                fontsize=8,
            )
        axis.invert_yaxis()
        axis.set_xscale("log")
        axis.set_xlim(min(values) / 2, max(values) * 30)
        axis.set_title(f"{workload}: {name_of_figure} ({'more' if more else 'less'} is better)", fontsize=9)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    draw(folder, name, figure)


def draw_latency(plot, results, folder):
    steps = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)]
    figure, axis = plot.subplots(figsize=(8, 4.5), layout="constrained")
    others = sorted({key[1] for key in results.runs} - {REFERENCE, "loop"})
    for peer, strands, _ in results.series("W6a"):
        if strands != 1:
            continue
        values = [results.values("W6a", step).get((peer, 1)) for step, _ in steps]
        if all(values):
            axis.plot(
                [name for name, _ in steps],
                [statistics.median(each) for each in values],
                marker="o",
                label=peer,
                color=colour(peer, others),
                linewidth=3 if peer == REFERENCE else 1.5,
            )
    axis.set_yscale("log")
    axis.set_ylabel("nanoseconds")
    axis.set_title("W6a: a request and its answer on one thread, percentiles", fontsize=10)
    axis.legend(fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    draw(folder, "latency", figure)


def draw_curves(plot, results, folder):
    figure, axes = plot.subplots(2, 2, figsize=(12, 7), layout="constrained")
    for axis, (curve, title) in zip(axes.flat, CURVES.items()):
        for strands in (1, 2):
            points = sorted(
                (int(workload.split("-")[1]), statistics.median(values))
                for workload in results.workloads()
                if workload.startswith(curve + "-")
                for (_, own), values in results.values(workload, "messages").items()
                if own == strands
            )
            if points:
                axis.plot(*zip(*points), marker="o", label=f"{strands} strand{'s' * (strands > 1)}")
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel(title, fontsize=9)
        axis.set_ylabel("messages a second", fontsize=9)
        axis.grid(True, which="both", linewidth=0.3)
        axis.legend(fontsize=8)
    draw(folder, "scaling", figure)


def pictures(results, folder):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "costar"
    from matplotlib import pyplot

    panels = [
        (workload, name)
        for workload in WORKLOADS
        for name in results.figures(workload)
        if not (workload == "W6a" and name != "p50")
        and name != "memory of an actor"
        and workload != "W4named"
    ]
    draw_bars(pyplot, results, folder, "workloads", panels)
    if "W4" in results.workloads():
        draw_bars(
            pyplot,
            results,
            folder,
            "memory",
            [(w, "memory of an actor") for w in ("W4", "W4named") if w in results.workloads()],
        )
    if "W6a" in results.workloads():
        draw_latency(pyplot, results, folder)
    if any(workload.startswith("pairs-") for workload in results.workloads()):
        draw_curves(pyplot, results, folder)


# The page
# ------------------------------------------------------------------------------------------------------------


def curve_rows(results, curve):
    found = sorted(
        (int(workload.split("-")[1]), workload)
        for workload in results.workloads()
        if workload.startswith(curve + "-")
    )
    rows = []
    for at, workload in found:
        values = results.values(workload, "messages")
        rows.append(
            [at]
            + [
                (
                    f"{with_unit(statistics.median(values[REFERENCE, n]), 'msg/s')}"
                    if (REFERENCE, n) in values
                    else ""
                )
                for n in (1, 2)
            ]
        )
    return table([CURVES[curve], "1 strand", "2 strands"], rows)


def service_rows(path):
    document = json.loads(pathlib.Path(path).read_text())
    rows = [
        [
            kind,
            *(
                f"{found['costar'][i]:,.{digits}f} / {found['plain'][i]:,.{digits}f}"
                for i, digits in ((0, 0), (1, 2), (2, 1))
            ),
            *("{:.0%} ({:.0%}-{:.0%})".format(*found[ratio]) for ratio in ("rate_ratio", "processor_ratio")),
        ]
        for kind, found in document["kinds"].items()
    ]
    return document, table(
        ["", "requests a second, costar / Beast", "p99 in ms", "CPU µs a request", "requests, pair by pair",
         "CPU, pair by pair"], rows
    )


def growth_rows(path):
    operations = json.loads(path.read_text())
    numbers = sorted({int(n) for each in operations.values() for n in each["ns"]})
    rows = [
        [
            name,
            *(f"{each['ns'][str(n)]:,.0f}" if str(n) in each["ns"] else "" for n in numbers),
            f"{each['exponent']:.2f}",
            "linear" if each["documented"] == 1 else "constant or logarithmic",
        ]
        for name, each in operations.items()
    ]
    return [
        "What one more of something costs when there are as many already, in ns, and with which power of "
        "their number that grows (`make bench-growth`). It is processor time: among a million things each "
        "lies in memory that no cache holds, which shows as an exponent of 0.1 to 0.5. What is promised is "
        "counted in steps, by `test/actor/growth.test.cpp`.",
        "",
        *table(["", *(f"{n:,}" for n in numbers), "exponent", "documented"], rows),
    ]


def peer_rows(results):
    return table(
        ["", "version", "language", "how it is set up"],
        [
            [name, each["version"], each["language"], each["settings"]]
            for name, each in sorted(results.peers.items())
        ],
    )


def between_processes(path):
    results = Results(path)
    machine = results.machine
    out = [
        f"Measured by `make bench-remote` on {machine['date'][:10]} at commit `{machine['commit']}`, with a "
        f"load of {machine['load_before']} before: {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['system']}, {machine['compiler']}. What each row is: "
        "[benchmarks/README.md](../benchmarks/README.md#what-is-measured).",
        "",
        *([machine["note"], ""] if "note" in machine else []),
        *summary(
            results,
            results.workloads(),
            ("best RPC without actors", RPC),
            ("the limit: frames on a socket", WIRE),
        ),
        "",
        *[f"{key}: {failure}." for key, failure in results.failures.items()],
        "",
        *targets(results),
        "",
        *targets_beside(results),
        "",
    ]
    beside = times_better(results)
    if beside:
        out += ["How many times better costar is than each, median of the repetitions:", "", *beside, ""]
    if results.peers:
        out += peer_rows(results) + [""]
    for workload in results.workloads():
        out += [f"### {workload}: {TITLES[workload]}", ""] + details(results, workload) + [""]
    return out


def page(args, results):
    machine = results.machine
    out = [
        "# Benchmarks",
        "",
        f"Measured on {machine['date'][:10]} at commit `{machine['commit']}`: {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory']}, {machine['system']}, {machine['compiler']}. "
        f"The load before was {machine['load_before']}.",
        "",
        *([machine["note"], ""] if "note" in machine else []),
        "This page and its pictures are written by `benchmarks/report.py` from the results of runs; "
        "[benchmarks/README.md](../benchmarks/README.md) says what each workload is and how costar spends "
        "its time.",
        "",
        "```sh",
        'make soak ARGS="--seconds 600 --output benchmarks/results/soak.json"  # first: the part under load',
        "make bench-peers                                                      # build, run the rest, draw",
        "```",
        "",
        "Every run is a process of its own, all peers take turns workload by workload in every repetition "
        "after one warm-up, a ratio is the median of ratios taken within one repetition, and a run in which "
        "not all that was sent was received fails.",
        "",
        "## In one table",
        "",
        "Each with the number of threads that suits it best. Above 1 costar is ahead, below 1 it is behind.",
        "",
    ]
    out += summary(
        results, WORKLOADS, ("best with Asio alone", LIBRARIES), ("the limit: a bare loop", LIMITS)
    )
    out += [
        "",
        "![rates and times](benchmarks/workloads.svg)",
        "",
        "![memory](benchmarks/memory.svg)",
        "",
        "![latency](benchmarks/latency.svg)",
        "",
        *[f"{key}: {failure}." for key, failure in results.failures.items()],
        "",
        "## Targets",
        "",
        "For a machine with two cores that has nothing else to do. Where the time goes: "
        "[benchmarks/README.md](../benchmarks/README.md#what-dominates).",
        "",
        *targets(results),
        "",
        "## The peers",
        "",
    ]
    out += peer_rows(results)
    if any(workload.startswith("pairs-") for workload in results.workloads()):
        out += [
            "",
            "## Scaling",
            "",
            "What the knees are: [benchmarks/README.md](../benchmarks/README.md#how-it-scales).",
            "",
            "![scaling](benchmarks/scaling.svg)",
            "",
        ]
        for curve in CURVES:
            out += curve_rows(results, curve) + [""]
    features = [each for each in FEATURES if each in results.workloads()]
    if features:
        out += [
            "",
            "## What the features cost",
            "",
            "Each by itself on one strand, medians and the least and most of the repetitions: "
            "`benchmarks/run.py --only 'F.*'`.",
            "",
        ]
        rows = []
        for workload in features:
            values = results.values(workload, "each")[REFERENCE, 1]
            spread = f"{min(values):.0f}-{max(values):.0f}"
            rows.append([FEATURES[workload], f"{statistics.median(values):.0f}", spread])
        out += table(["", "ns", "from, to"], rows)
    if args.service:
        document, rows = service_rows(args.service)
        out += [
            "",
            "## The account service",
            "",
            f"`demos/service` and a plain Beast server with the same routes, loaded by wrk: "
            f"{document['connections']} connections, {document['seconds']} s, {document['repetitions']} "
            "repetitions in turn after one to warm up: medians, and costar's share pair by pair, median "
            "(least-most).",
            "",
        ] + rows
    if args.soak:
        soak = json.loads(args.soak.read_text())
        out += ["", "## Long and under load", "", soak["description"], ""] + table(
            ["minute", "messages", "asks", "HTTP requests", "crashes", "p50 µs", "p99 µs", "resident MB"],
            soak["rows"],
        )
    if args.growth:
        out += ["", "## How costs grow", ""] + growth_rows(args.growth)
    if args.remote:
        out += ["", "## Between processes", ""] + between_processes(args.remote)
    if args.idle:
        idle = json.loads(args.idle.read_text())
        out += [
            "",
            "A million idle actors for "
            f"{idle['seconds']} s took {idle['cpu_ms']:.1f} ms of processor time (`bench_soak --idle`).",
        ]
    out += ["", "## All figures", ""]
    for workload in WORKLOADS:
        if workload in results.workloads():
            out += [f"### {workload}: {TITLES[workload]}", ""] + details(results, workload) + [""]
    return "\n".join(out).rstrip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("result", type=pathlib.Path)
    parser.add_argument("--features", type=pathlib.Path, help="a result file with the features")
    parser.add_argument("--service", type=pathlib.Path)
    parser.add_argument("--soak", type=pathlib.Path)
    parser.add_argument("--growth", type=pathlib.Path)
    parser.add_argument("--idle", type=pathlib.Path)
    parser.add_argument("--remote", type=pathlib.Path)
    parser.add_argument(
        "--docs", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent / "docs"
    )
    args = parser.parse_args()
    try:
        results = Results(args.result)
    except (OSError, ValueError, KeyError) as failure:
        sys.exit(f"{args.result} is no result file of run.py: {failure}")
    if args.features:
        results.runs |= Results(args.features).runs
    folder = args.docs / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        pictures(results, folder)
    except ImportError:
        print("python3-matplotlib is not installed, so no picture was drawn", file=sys.stderr)
    (args.docs / "benchmarks.md").write_text(page(args, results))


if __name__ == "__main__":
    main()
