#!/usr/bin/env python3
# SPDX-License-Identifier: MIT

"""Tests benchmarks/compare.py: when it gives a verdict, and which."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "benchmarks"))
import compare  # noqa: E402


def results(values, better="more", key="W1a costar 1"):
    runs = [{"figures": [{"name": "messages", "value": value, "unit": "msg/s", "better": better}],
             "cpu_seconds": 1.0, "peak_rss_bytes": 1000} for value in values]
    return {"machine": {"cpu": "x"}, "runs": {key: runs}}


def verdict(old, new, better="more"):
    return compare.compare(results(old, better), results(new, better))[0][-1]


class Compare(unittest.TestCase):
    def test_ranges_apart_give_a_verdict(self):
        self.assertEqual(verdict([10, 11, 12, 13, 14], [20, 21, 22, 23, 24]), "better")
        self.assertEqual(verdict([20, 21, 22, 23, 24], [10, 11, 12, 13, 14]), "WORSE")

    def test_less_can_be_better(self):
        self.assertEqual(verdict([20, 21, 22, 23, 24], [10, 11, 12, 13, 14], "less"), "better")

    def test_ranges_that_overlap_give_none(self):
        self.assertEqual(verdict([10, 11, 12, 13, 14], [11, 12, 13, 14, 15]), "no difference seen")

    def test_a_tiny_change_gives_none(self):
        self.assertEqual(verdict([1000, 1001, 1002, 1003], [1010, 1011, 1012, 1013]), "no difference seen")

    def test_few_runs_give_none(self):
        self.assertEqual(verdict([10, 11, 12], [20, 21, 22]), "too few runs")

    def test_chance_is_exact_for_small_samples(self):
        self.assertAlmostEqual(compare.chance([1, 2, 3, 4], [5, 6, 7, 8]), 2 / 70)
        self.assertEqual(compare.chance([1, 1, 1, 1], [1, 1, 1, 1]), 1)

    def test_only_what_both_have_is_compared(self):
        self.assertEqual(compare.compare(results([1]), results([1], key="W3 costar 1")), [])

    def test_the_exit_code_tells_of_a_loss(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as said:
            paths = [pathlib.Path(folder) / name for name in ("old.json", "new.json")]
            paths[0].write_text(json.dumps(results([20, 21, 22, 23])))
            paths[1].write_text(json.dumps(results([10, 11, 12, 13])))
            self.assertEqual(compare.main([str(path) for path in paths]), 1)
            self.assertEqual(compare.main([str(path) for path in reversed(paths)]), 0)
        self.assertIn("W1a costar 1, messages", said.getvalue())


if __name__ == "__main__":
    unittest.main()
