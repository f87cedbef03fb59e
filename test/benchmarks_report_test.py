#!/usr/bin/env python3
# SPDX-License-Identifier: MIT

"""Tests benchmarks/report.py: what it makes of the targets beside peers, and of the columns of peers."""

import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "benchmarks"))
import report  # noqa: E402
import run  # noqa: E402


def runs(name, values, unit, better):
    return [{"figures": [{"name": name, "value": value, "unit": unit, "better": better}],
             "cpu_seconds": 1.0, "peak_rss_bytes": 1000} for value in values]


def asks(*values):
    return runs("asks", values, "asks/s", "more")


def median_of(*values):
    return runs("p50", values, "ns", "less")


def results(found):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "result.json"
        path.write_text(json.dumps({"machine": {}, "command": [], "runs": found}))
        return report.Results(path)


class Report(unittest.TestCase):
    def test_ratios_are_taken_within_a_repetition(self):
        found = results({"R3b costar 1": asks(100, 900), "R3b grpc 1": asks(10, 100)})
        self.assertEqual(report.ratios_beside(found, "R3b", "asks", "grpc"), [10, 9])

    def test_a_target_beside_several_peers_has_a_verdict_for_each(self):
        found = results({"R3b costar 1": asks(90), "R3b grpc 1": asks(10), "R3b erlang 1": asks(10)})
        rows = "\n".join(report.targets_beside(found))
        self.assertIn("| R3b | asks | >= 8 of grpc | 9.00 (9.00 to 9.00) | reached |", rows)
        self.assertIn("| R3b | asks | >= 10 of erlang | 9.00 (9.00 to 9.00) | missed |", rows)

    def test_a_peer_that_did_not_run_has_neither_verdict_nor_column(self):
        found = results({"R3b costar 1": asks(90), "R3b erlang 1": asks(10)})
        self.assertNotIn("grpc", "\n".join(report.targets_beside(found) + report.times_better(found)))

    def test_less_time_is_times_better(self):
        found = results({"R3 costar 1": median_of(50), "R3 erlang 1": median_of(100)})
        self.assertIn("| R3 | p50 | 50 ns | **2.00** |", report.times_better(found))

    def test_alone_there_are_no_columns(self):
        self.assertEqual(report.times_better(results({"R3 costar 1": median_of(50)})), [])


class Verdict(unittest.TestCase):
    def series(self, peer, values):
        made = run.Series("program", "R3b", peer, 1)
        made.runs = values
        return made

    def test_all_targets_of_a_figure_count(self):
        own, grpc = self.series("costar", asks(600e3)), self.series("grpc", asks(60e3))
        self.assertEqual(run.verdict(own, "asks", 600e3, [own, grpc], False), "reached")
        erlang = self.series("erlang", asks(100e3))
        self.assertEqual(run.verdict(own, "asks", 600e3, [own, grpc, erlang], False), "missed")
        self.assertEqual(run.verdict(own, "asks", 400e3, [own, grpc], False), "missed")

    def test_a_quick_run_has_none(self):
        own = self.series("costar", asks(600e3))
        self.assertEqual(run.verdict(own, "asks", 600e3, [own], True), "")


if __name__ == "__main__":
    unittest.main()
