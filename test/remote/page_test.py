#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds docs/guide/protocol.md to the schemas and the library: each method, field, id, number and limit
stands on the page, and nothing else does. And puts mistakes into copies of the page, each of which must be
found.
"""

import math
import re
import sys
import textwrap

from protocol_test import ROOT, changed, today
from schemas import Interface, Struct

PAGE = ROOT / "docs/guide/protocol.md"
COLUMNS, LINES = 120, 150  # two sheets of paper, in small type

# What stands on the page, what stands there instead, and what must be said of it.
MISTAKES = [
    ("`oldest @1 :UInt16`", "`oldest @2 :UInt16`", "Greeting: the page has"),
    ("`nonce @6 :UInt64`, ", "", "Greeting: the page has"),
    ("`linked @3 :Bool`", "`tied @3 :Bool`", "Signal: the page has"),
    ("`size @3 :UInt32`", "`size @3 :UInt64`", "Part: the page has"),
    ("| `Feature` |", "| `Trait` |", "Feature is not on the page"),
    ("| `Node.ping @3` | | | |\n", "", "Node.ping @3 is not on the page"),
    ("`Node.find @2` | `name :Text`", "`Node.find @2` | `who :Text`", "Node.find @2: the page has"),
    ("`Sink.piece @2` | `part :Part` | stream", "`Sink.piece @2` | `part :Part` | ",
     "Sink.piece @2: the page has"),
    ("`Sink` is\n`0x8", "`Sink` is\n`0x9", "Sink: the page has the id"),
    ("`Natural` `0xb", "`Natural` `0xc", "Natural: the page has the id"),
    ("`:Float64`", "`:Float32`", "Number: the page has"),
    ("extends `Directory`", "extends `Sink`", "Node: the page has it extend"),
    ("5 `is_itself`, ", "", "refusal: the page has"),
    ("8 `poison`", "9 `poison`", "signal: the page has"),
    ("18 `unreachable`, 19 `link_lost`", "18 `link_lost`, 19 `unreachable`",
     "failure, reason: the page has"),
    ("1 and 12 are read as 7", "1 and 13 are read as 7", "failure, reason: the page has others read as 7"),
    ("0 ordinary, 1 reserved, 2 in parts", "0 ordinary, 1 in parts", "lane: the page has"),
    ("| protocol | 1 |", "| protocol | 2 |", "protocol: the page has"),
    ("`batch_max` 4096", "`batch_max` 4095", "batch_max: the page has"),
    ("| `sinks_max` 12 ", "| ", "sinks_max is not on the page"),
    ("`ping` every 2 s", "`ping` every 3 s", "heartbeat: the page has"),
    ("# The protocol", "\n" * LINES + "# The protocol", "the page has"),
]


def source(path):
    return (ROOT / path).read_text()


def cell(text):
    """What a method takes or gives: pairs, or a word."""
    named = re.findall(r"`(\w+) :([\w()]+)`", text)
    return named if named or not text.strip() else text.strip()


def wrong_methods(page, types):
    told = {(row[1], row[2], int(row[3])): (cell(row[4]), cell(row[5]))
            for row in re.finditer(r"^\| `(\w+)\.(\w+) @(\d+)` \|(.*?)\|(.*?)\|", page, re.MULTILINE)}
    there = {(each.name, method.name, ordinal): (method.parameters, method.results)
             for each in types.values() if isinstance(each, Interface)
             for ordinal, method in each.methods.items()}
    yield from unlike({f"{i}.{m} @{n}": what for (i, m, n), what in told.items()},
                      {f"{i}.{m} @{n}": what for (i, m, n), what in there.items()})


def unlike(told, there):
    for name, what in there.items():
        if name not in told:
            yield f"{name} is not on the page"
        elif told[name] != what:
            yield f"{name}: the page has {told[name]}, and there is {what}"
    for name in told:
        if name not in there:
            yield f"{name} is on the page, and nowhere else"


def wrong_structs(page, types):
    field = r"`(\w+) @(\d+) :([\w()]+)`"
    told = {row[1]: {int(n): (name, kind) for name, n, kind in re.findall(field, row[2])}
            for row in re.finditer(r"^\| `(\w+)` \| (`\w+ @.*?) \|", page, re.MULTILINE)}
    value = {found[1]: {0: ("value", found[2])}
             for found in re.finditer(r"`(\w+)`\s+`0x\w+`\s+`:(\w+)`", page)}
    there = {each.name: {n: (one.name, one.type) for n, one in each.fields.items()}
             for each in types.values() if isinstance(each, Struct)}
    yield from unlike(told | value | ({"Nothing": {}} if "`Nothing` `0x" in page else {}), there)


def wrong_ids(page, types):
    """Those of interfaces, and of structs that are messages."""
    told = {found[1]: found[2] for found in re.finditer(r"`(\w+)`(?: is|,)?\s+`(0x\w+)`", page)}
    values = set(re.findall(r"^struct (\w+)", source("schemas/costar/values.capnp"), re.MULTILINE))
    for each in types.values():
        if isinstance(each, Struct) and each.name not in values:
            continue
        if told.get(each.name) != each.id:
            yield f"{each.name}: the page has the id {told.get(each.name)}, and it is {each.id}"
        if isinstance(each, Interface):
            says = re.findall(rf"`{each.name}` is\s+`0x\w+` and extends `(\w+)`", page)
            if says != each.extends:
                yield f"{each.name}: the page has it extend {says}, and it does {each.extends}"


def enumerators(path, name):
    """Of an enum of the library, the numbers with their names."""
    body = re.search(rf"enum class {name}\b[^{{]*\{{(.*?)\n\s*\}};", source(path), re.DOTALL)[1]
    numbers, last = {}, -1
    for found in re.finditer(r"^\s*(\w+)(?: = (\d+))?,$", body, re.MULTILINE):
        last = int(found[2]) if found[2] else last + 1
        numbers[last] = found[1]
    return numbers


def comment_of(member):
    """The text below a field or a method in the schema of nodes."""
    schema = source("schemas/costar/node.capnp")
    return " ".join(re.search(rf"^  {member} @.*\n((?:  # .*\n)+)", schema, re.MULTILINE)[1].split("# "))


def wrong_numbers(page):
    rows = {found[1]: found[2] for found in re.finditer(r"^\| ([\w, ]+) \| (.*) \|$", page, re.MULTILINE)}
    for row, path, name in (("refusal", "include/costar/remote/refusal.hpp", "refusal"),
                            ("signal", "include/costar/kernel/gateway.hpp", "kind"),
                            ("failure, reason", "include/costar/core/error.hpp", "errc")):
        told = {int(n): word for n, word in re.findall(r"(\d+) `(\w+)`", rows.get(row, ""))}
        there = enumerators(path, name)
        if told != there:
            yield f"{row}: the page has {told}, and there are {there}"
        if row == "failure, reason":
            taken = re.search(r"Of these (\d+) and (\d+) are read as 7", rows.get(row, ""))
            known = re.search(r"errc reason_from\(.*?\n\}", source("lib/remote/link_in.cpp"), re.DOTALL)[0]
            others = [n for n, word in there.items() if f"reason == errc::{word}" in known]
            if not taken or [int(taken[1]), int(taken[2])] != others:
                yield f"{row}: the page has others read as 7 than {others}"
        else:
            comment = comment_of("kind" if row == "signal" else row)
            said = {int(n) for n in re.findall(r"(?<![\w.])(\d+)\b", comment)}
            if said != set(there):
                yield f"{row}: the comment in the schema has {said}, and there are {set(there)}"
    lanes = re.findall(r"\b(\d)\b", rows.get("lane", ""))
    if sorted(re.findall(r"\b(\d)\b", comment_of("open"))) != lanes:
        yield f"lane: the page has {lanes}, and the comment in the schema others"
    newest = re.search(r"newest_protocol = (\d+);", source("lib/remote/greeting.hpp"))[1]
    if rows.get("protocol") != newest:
        yield f"protocol: the page has {rows.get('protocol')}, and it is {newest}"
    if not (ROOT / f"test/remote/frozen/protocol_{newest}.capnp").exists():
        yield f"protocol: there is no frozen copy of {newest}"


def wrong_limits(page):
    limits = page.split("## Limits")[-1]
    told = {name: int(number) for name, number in re.findall(r"`(\w+)` (\d+)\b", limits)}
    there = {}
    for path in ("link.hpp", "letter.hpp", "greeting.hpp", "bulk_lane.hpp"):
        for name, how in re.findall(r"^inline constexpr [\w:]+ (\w+) = (.*);$", source(f"lib/remote/{path}"),
                                    re.MULTILINE):
            if name in told or name.endswith("_max") and not name.startswith("client_"):
                plain = re.sub(r"std::size_t\{(\d+)\}|'", r"\1", how)
                there[name] = math.prod(int(factor) for factor in plain.split(" * "))
    yield from unlike(told, there)
    for name, sentence in (("heartbeat", r"`ping` every (\d+) s"), ("silence_max", r"waited for (\d+) s"),
                           ("greeting_timeout", r"not greeted after (\d+) s")):
        said = re.findall(sentence, page)
        options = source("include/costar/remote/node.hpp")
        holds = re.findall(rf"{name} = std::chrono::seconds\((\d+)\)", options)
        if said != holds:
            yield f"{name}: the page has {said}, and it is {holds}"


def problems(page, types):
    yield from wrong_methods(page, types)
    yield from wrong_structs(page, types)
    yield from wrong_ids(page, types)
    yield from wrong_numbers(page)
    yield from wrong_limits(page)
    lines = sum(len(textwrap.wrap(line, COLUMNS)) or 1 for line in page.splitlines())
    if lines > LINES:
        yield f"the page has {lines} lines of {COLUMNS} columns, and {LINES} are two sheets of paper"


def main():
    page, types = PAGE.read_text(), today()
    found = list(problems(page, types))
    for before, after, expected in MISTAKES:
        if before not in page:
            found.append(f"the page has no \"{before}\" to be spoiled: follow it here")
        elif not any(each.startswith(expected) for each in problems(page.replace(before, after), types)):
            found.append(f"nobody has found \"{after}\" for \"{before}\"")
    # And the other way round.
    more = changed("node", "nonce @6 :UInt64;", "number @6 :UInt64;")
    if not any(each.startswith("Greeting: the page has") for each in problems(page, more)):
        found.append("nobody has found a field that was renamed in the schema")
    for each in found:
        print(f"docs/guide/protocol.md: {each}")
    print(f"{len(types)} types, {len(MISTAKES)} mistakes, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
