# SPDX-License-Identifier: MIT
"""Reads schemas of Cap'n Proto: what its compiler makes of them, which has the places of fields in it."""

import re
import subprocess
from dataclasses import dataclass, field

IMPORTED = re.compile(r'import "[^"]*"\.')


@dataclass
class Field:
    name: str
    type: str
    place: str  # "bits[0, 16)" or "ptr[1]"
    default: str = ""


@dataclass
class Method:
    name: str
    parameters: list | str  # (name, type) each, or the name of a struct
    results: list | str


@dataclass
class Struct:
    id: str
    name: str
    fields: dict = field(default_factory=dict)  # by ordinal


@dataclass
class Interface:
    id: str
    name: str
    extends: list
    methods: dict = field(default_factory=dict)  # by ordinal


def parameters_of(text):
    """Of "(name :Text, type :UInt64)" the pairs; of "Message" and "stream" the word."""
    if not text.startswith("("):
        return "stream" if text == "StreamResult" else text
    return [tuple(each.split(" :")) for each in text[1:-1].split(", ") if each]


def read(*paths, root):
    """The structs and interfaces of the files, by their names. `root` is what absolute imports begin with."""
    types = {}
    for path in paths:
        text = subprocess.run(
            ["capnp", "compile", "-ocapnp", f"-I{root}", f"--src-prefix={path.parent}", path],
            check=True, stdout=subprocess.PIPE, text=True).stdout
        inside = None
        for line in IMPORTED.sub("", text).splitlines()[1:]:
            if found := re.fullmatch(r"struct (\w+) @(0x\w+) \{(?:  # .*)?", line):
                inside = types[found[1]] = Struct(found[2], found[1])
            elif found := re.fullmatch(r"interface (\w+) @(0x\w+)(?: superclasses\((.*)\))? \{", line):
                extends = found[3].split(", ") if found[3] else []
                inside = types[found[1]] = Interface(found[2], found[1], extends)
            elif found := re.fullmatch(r"  (\w+) @(\d+) :([\w()]+)(?: = (.*))?;  # (.*)", line):
                inside.fields[int(found[2])] = Field(found[1], found[3], found[5], found[4] or "")
            elif found := re.fullmatch(r"  (\w+) @(\d+) (\(.*?\)|\w+) -> (\(.*\)|\w+);", line):
                inside.methods[int(found[2])] = Method(
                    found[1], parameters_of(found[3]), parameters_of(found[4]))
            elif line not in ("}", "") and not re.match(r"@0x|\$", line):
                raise SystemExit(f"{path}: this test cannot read what Cap'n Proto says: {line}")
    return types


def with_ids(types, name):
    """A type as the wire knows it: that of the project by its id, whatever it is called."""
    return re.sub(r"\w+", lambda word: types[word[0]].id if word[0] in types else word[0], name)


def differences(old, new):
    """Sentences on what a peer that knows `old` alone would not understand of who speaks `new`."""
    by_id = {each.id: each for each in new.values()}
    for before in old.values():
        now = by_id.get(before.id)
        if type(now) is not type(before):
            yield f"{before.name}, {before.id}, is gone"
        elif isinstance(before, Struct):
            yield from different_fields(old, new, before, now)
        else:
            yield from different_methods(old, new, before, now)


def different_fields(old, new, before, now):
    for ordinal, was in before.fields.items():
        who = f"{before.name}.{was.name} @{ordinal}"
        if ordinal not in now.fields:
            yield f"{who} is gone"
            continue
        found = now.fields[ordinal]
        if found.name != was.name and not found.name.startswith("obsolete"):
            yield f"{who} is called {found.name}: one that is dead is called obsolete"
        if with_ids(new, found.type) != with_ids(old, was.type):
            yield f"{who} was {was.type}, and is {found.type}"
        if found.place != was.place:
            yield f"{who} was at {was.place}, and is at {found.place}"
        if found.default != was.default:
            yield f"{who} had the default \"{was.default}\", and has \"{found.default}\""


def different_methods(old, new, before, now):
    for each in before.extends:
        if old[each].id not in [new[name].id for name in now.extends]:
            yield f"{before.name} is no {each} any more"
    for ordinal, was in before.methods.items():
        who = f"{before.name}.{was.name} @{ordinal}"
        if ordinal not in now.methods:
            yield f"{who} is gone"
            continue
        found = now.methods[ordinal]
        if found.name != was.name and not found.name.startswith("obsolete"):
            yield f"{who} is called {found.name}: one that is dead is called obsolete"
        for what, first, second in (("takes", was.parameters, found.parameters),
                                    ("gives", was.results, found.results)):
            yield from different_parameters(old, new, f"{who} {what}", first, second)


def different_parameters(old, new, who, before, now):
    """More of them may come at the end."""
    if isinstance(before, str) or isinstance(now, str):
        if isinstance(before, list) or isinstance(now, list) or with_ids(old, before) != with_ids(new, now):
            yield f"{who} {now}, and not {before}"
        return
    for place, (name, kind) in enumerate(before):
        if place >= len(now):
            yield f"{who} no {name} any more"
        elif now[place][0] != name and not now[place][0].startswith("obsolete"):
            yield f"{who} {now[place][0]} where {name} was"
        elif with_ids(new, now[place][1]) != with_ids(old, kind):
            yield f"{who} {name} as {now[place][1]}, which was {kind}"
