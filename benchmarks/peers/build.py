#!/usr/bin/env python3
# SPDX-License-Identifier: MIT

"""Builds the benchmark programs of the peers that are written in Go, Rust and Erlang.

Usage: build.py FOLDER [PEER ...]

A peer whose toolchain is missing is left out with a sentence. The programs that were built lie in FOLDER;
their paths are printed, one a line. The first build of a peer fetches its modules by `go` and `cargo`.
"""

import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent

# Folder: the tool that builds it.
PEERS = {"hollywood": "go", "protoactor": "go", "ractor": "cargo", "actix": "cargo", "erlang": "erlc"}


def build(peer, folder):
    """The program of a peer, or nothing and why."""
    tool = PEERS[peer]
    if shutil.which(tool) is None:
        return None, f"there is no `{tool}` on this machine"
    if tool == "go":
        program = folder / f"bench_{peer}"
        command = ["go", "build", "-o", str(program), "."]
    elif tool == "erlc":
        program = folder / peer / f"bench_{peer}"
        program.parent.mkdir(exist_ok=True)
        shutil.copy(HERE / peer / program.name, program)
        command = [tool, "-o", str(program.parent), f"bench_{peer}.erl"]
    else:
        program = folder / "rust" / "release" / f"bench_{peer}"
        command = ["cargo", "build", "--release", "--quiet", "--target-dir", str(folder / "rust")]
    done = subprocess.run(
        command, cwd=HERE / peer, capture_output=True, text=True, env=dict(os.environ, GOTOOLCHAIN="local")
    )
    if done.returncode != 0:
        return None, (done.stderr.strip().splitlines() or ["it does not build"])[-1]
    return program, None


def main():
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(PEERS):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for peer in sys.argv[2:] or PEERS:
        print(f"Building {peer}", file=sys.stderr, flush=True)
        program, reason = build(peer, folder)
        if program is None:
            print(f"{peer} is left out: {reason}.", file=sys.stderr, flush=True)
        else:
            print(program, flush=True)


if __name__ == "__main__":
    main()
