#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks every ```cpp block of README.md and docs/.

A block with `int main` is a complete program: it is compiled, linked and run against the build folder, and
if a ```text block follows it directly, that is what it must print. Any other block must stand, up to its
indentation, in a file of demos/ or test/, where the ordinary build compiles it.

Usage: snippets.py BUILD_FOLDER COMPILER...
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECONDS = 10
FENCED = re.compile(r"^```(\w*)\n(.*?)^```\n?", re.MULTILINE | re.DOTALL)


@dataclass
class Snippet:
    path: pathlib.Path
    line: int
    code: str
    output: str | None  # what the ```text block right after it says

    @property
    def is_program(self):
        return "int main" in self.code


def snippets_of(path, text):
    """The ```cpp blocks of a document, each with the ```text block that directly follows it."""
    blocks = list(FENCED.finditer(text))
    for block, following in zip(blocks, blocks[1:] + [None]):
        if block[1] != "cpp":
            continue
        output = None
        if following and following[1] == "text" and not text[block.end() : following.start()].strip():
            output = following[2]
        yield Snippet(path, text.count("\n", 0, block.start()) + 1, block[2], output)


def documents():
    return [*ROOT.glob("README.md"), *sorted(ROOT.glob("docs/**/*.md"))]


def without_indentation(text):
    return "\n".join(line.strip() for line in text.strip().splitlines())


def build_flags(build):
    """What a user of the library in the build folder passes to the compiler, as pkg-config tells it."""
    return shlex.split(subprocess.run(
        ["pkg-config", "--static", "--cflags", "--libs", "costar"],
        env=os.environ | {"PKG_CONFIG_PATH": str(build / "meson-uninstalled")},
        check=True, capture_output=True, text=True,
    ).stdout)


def problem_with_program(snippet, compiler, flags):
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder, "snippet.cpp"), pathlib.Path(folder, "snippet")
        source.write_text(snippet.code)
        compiled = subprocess.run(
            [*compiler, "-std=c++20", source, "-o", program, *flags], capture_output=True, text=True)
        if compiled.returncode != 0:
            return f"does not compile\n{compiled.stderr}"
        try:
            run = subprocess.run(
                [program], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return f"did not end within {SECONDS} s"
        if run.returncode != 0:
            return f"ended with {run.returncode}\n{run.stdout}{run.stderr}"
        if snippet.output is not None and run.stdout != snippet.output:
            return f"printed\n{run.stdout}but the document says\n{snippet.output}"
    return None


def problem_with_quote(snippet, compiled_texts):
    if any(without_indentation(snippet.code) in text for text in compiled_texts):
        return None
    return "is no program with `int main` and found in no file under demos/ or test/; quote what is there"


def main(build, *compiler):
    flags = build_flags(pathlib.Path(build))
    compiled_texts = [
        without_indentation(path.read_text())
        for folder in ("demos", "test")
        for path in sorted((ROOT / folder).rglob("*.[ch]pp"))
    ]
    count = wrong = 0
    for document in documents():
        for snippet in snippets_of(document.relative_to(ROOT), document.read_text()):
            if snippet.is_program:
                problem = problem_with_program(snippet, compiler, flags)
            else:
                problem = problem_with_quote(snippet, compiled_texts)
            count += 1
            if problem:
                wrong += 1
                print(f"{snippet.path}:{snippet.line}: this block {problem}")
    print(f"{count} blocks, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
