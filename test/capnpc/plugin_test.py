#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs capnpc-costar: what it refuses and how it says so, and that what it writes is the same each time.

Usage: plugin_test.py PLUGIN SCHEMAS [CLANG_FORMAT]
"""

import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

HEAD = """@0xd1b0c3a2f4e59687;
using Cxx = import "/capnp/c++.capnp";
using Costar = import "/costar/costar.capnp";
using Values = import "/costar/values.capnp";
$Cxx.namespace("proto");
"""

ADVICE = {
    "local": "; use wire::record of the struct for messages, and mark it $Costar.local",
    "raw": "; mark the interface $Costar.local and use Cap'n Proto's own classes, or wire::record",
}


def refused():
    """Each schema of refused.txt, and the lines that are said of it."""
    made = {}
    for line in (HERE / "refused.txt").read_text().splitlines():
        if line.startswith("  "):
            for name, text in ADVICE.items():
                line = line.replace(f" {{{name}}}", text)
            last.append(line.strip())
        elif line and not line.startswith("#"):
            last = made[line] = []
    return made


# What looks like one of them and is none.
ACCEPTED = [
    "",
    "struct Foo $Costar.local { bar @0 :AnyPointer; }",
    "$Costar.local; struct Foo(T) { bar @0 :T; } interface Bar { baz @0 (x :AnyPointer); }",
    "struct Foo { which @0 :Text $Costar.name(\"what\"); union { a @1 :Void; b @2 :Void; } }",
    "struct FooBar {} const fooBar :Int32 = 1 $Costar.name(\"theFooBar\");",
    "interface Foo $Costar.local { bar @0 (x :AnyPointer); }",
    "struct Foo { one @0 :Two; } struct Two { one @0 :List(Foo); }",
]


def compile(plugin, schemas, folder, *files):
    out = pathlib.Path(folder) / "out"
    out.mkdir(exist_ok=True)
    done = subprocess.run(
        ["capnp", "compile", "-I", schemas, "-I", files[0].parent, f"--src-prefix={files[0].parent}",
         f"-o{plugin}:{out}", *files],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout, {path.name: path.read_text() for path in sorted(out.iterdir())}


def tried(plugin, schemas, text):
    with tempfile.TemporaryDirectory() as folder:
        bad = pathlib.Path(folder) / "bad.capnp"
        bad.write_text(HEAD + text + "\n")
        return compile(plugin, schemas, folder, bad)


def check_refusals(plugin, schemas):
    for text, expected in refused().items():
        code, said, files = tried(plugin, schemas, text)
        # The last line is the compiler's own.
        if code == 0 or said.splitlines()[:-1] != expected or files:
            yield f"{text}\n  expected {expected}\n  got {code}, {said}, {sorted(files)}"
    for text in ACCEPTED:
        code, said, files = tried(plugin, schemas, text)
        if code != 0 or said or len(files) != 2:
            yield f"{text}\n  expected nothing, got {code}, {said}, {sorted(files)}"


# Schemas, what is made of them, and a line in the first.
NAMES = {
    "a.b.capnp": ("a.b", '#include "a.b.costar.hpp"'),
    "plain": ("plain", '#include "plain.costar.hpp"'),
    "in.capnp.in": ("in.capnp.in", '#include "in.capnp.in.costar.hpp"'),
}


def check_names(plugin, schemas):
    for name, (made, line) in NAMES.items():
        with tempfile.TemporaryDirectory() as folder:
            schema = pathlib.Path(folder) / name
            schema.write_text(HEAD + "struct Foo {}\n")
            code, said, files = compile(plugin, schemas, folder, schema)
        if code != 0 or said or list(files) != [f"{made}.costar.cpp", f"{made}.costar.hpp"]:
            yield f"{name}: {code}, {said}, {sorted(files)}"
        elif line not in files[f"{made}.costar.cpp"].splitlines():
            yield f"{name}: {line} is not in its source"


def check_output(plugin, schemas, clang_format):
    results = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            here = pathlib.Path(folder) / "in"
            here.mkdir()
            for path in HERE.glob("*.capnp*"):
                text_of = path.read_text().replace("@cancellable@", "")
                (here / path.name.removesuffix(".in")).write_text(text_of)
            results.append(compile(plugin, schemas, folder, *sorted(here.iterdir())))
    code, said, files = results[0]
    if code != 0 or said:
        yield f"the schemas of the tests: {code}, {said}"
    if results[0] != results[1]:
        yield "the second run wrote something else than the first"
    if clang_format:
        for name, text in files.items():
            style = f"--style=file:{ROOT / '.clang-format'}"
            done = subprocess.run([clang_format, style, f"--assume-filename={name}"],
                                  input=text, stdout=subprocess.PIPE, text=True, check=True)
            if done.stdout != text:
                yield f"{name}: clang-format would write it in another way"


def main(plugin, schemas, clang_format=None):
    wrong = [*check_refusals(plugin, schemas), *check_names(plugin, schemas),
             *check_output(plugin, schemas, clang_format)]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(refused())} refused, {len(ACCEPTED)} accepted")


if __name__ == "__main__":
    main(*sys.argv[1:])
