#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a program of another language against a node, and costar against a server of that language.

What the language needs is made in FOLDER when it is not there: packages at the versions below, from the
registry of the language by its own client. Where a tool is missing, or a package cannot be had, the test is
skipped.

Usage: interop_test.py c++|python|go|rust FOLDER DESK_NODE DESK_CALLER EZ_DESK
       interop_test.py demo FOLDER NODE
       interop_test.py page   (holds docs/guide/interop.md to what is run)
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
SCHEMAS = HERE.parents[1] / "schemas"

PYCAPNP = "2.2.4"
GO_CAPNP = "v3.1.0-alpha.2"  # as in go/go.mod; the versions for Rust are those of rust/Cargo.toml

CLIENT_CASES = [
    "ask", "tell", "unknown actor", "unknown type", "deadline", "cancel", "service", "stream", "callback",
    "called back by an actor", "stream from an actor", "cancelled method", "exception", "unknown service",
    "cut off"]
CALLER_CASES = [
    "call", "stream", "callback", "call beside one that waits", "error", "deadline", "cancel",
    "call after a deadline", "cut off"]


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def printed(command, seconds, **options):
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, **options)


def run(*command, **options):
    """Runs a step of a build, which must succeed; gives what it printed."""
    done = printed(command, 800, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def fetch(what, *command, **options):
    """As `run`, of packages: without the network there are none."""
    done = printed(command, 300, **options)
    if done.returncode != 0:
        last = (done.stdout.strip().splitlines() or ["no reason given"])[-1]
        skip(f"{what} cannot be had: {last}")


def tool(name, what):
    found = shutil.which(name)
    if found is None:
        skip(f"{name} is not installed, which the test of {what} needs")
    return found


def copy_if_changed(text, path):
    """A file that stays as it is is not built again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def python(folder):
    python = folder / "venv/bin/python"
    done = python.exists() and subprocess.run(
        [python, "-c", f"import importlib.metadata as m; assert m.version('pycapnp') == '{PYCAPNP}'"],
        stderr=subprocess.DEVNULL).returncode == 0
    if not done:
        fetch("a virtual environment of Python", sys.executable, "-m", "venv", "--clear", folder / "venv")
        fetch(f"pycapnp {PYCAPNP}", python, "-m", "pip", "install", "-q", "--only-binary=:all:",
              f"pycapnp=={PYCAPNP}")
    return [python, HERE / "python_desk.py"]


def go(folder):
    """Generated code is a package for each schema, which must say so by annotations of Go's."""
    go = tool("go", "Go")
    work = folder / "go"
    options = {"cwd": work, "env": os.environ | {"GOFLAGS": "-mod=mod -buildvcs=false"}}
    for file in ("go.mod", "go.sum", "main.go"):
        copy_if_changed((HERE / "go" / file).read_text(), work / file)
    fetch(f"the module capnp {GO_CAPNP}", go, "mod", "download", **options)
    module = run(go, "list", "-m", "-f", "{{.Dir}}", "capnproto.org/go/capnp/v3", **options).strip()
    plugin = work / "capnpc-go"
    if not plugin.exists():
        run(go, "build", "-o", plugin, "capnproto.org/go/capnp/v3/capnpc-go", **options)
    copied = folder / "go-schemas"
    copy_if_changed((SCHEMAS / "costar/costar.capnp").read_text(), copied / "costar/costar.capnp")
    for schema in (SCHEMAS / "costar/directory.capnp", SCHEMAS / "costar/values.capnp", HERE / "desk.capnp"):
        text = schema.read_text() + (f'using Go = import "/go.capnp";\n$Go.package("{schema.stem}");\n'
                                     f'$Go.import("interop/{schema.stem}");\n')
        copy = copied / ("costar" if schema.parent.name == "costar" else "") / schema.name
        copy_if_changed(text, copy)
        out = work / schema.stem
        out.mkdir(exist_ok=True)
        run("capnp", "compile", f"--src-prefix={copy.parent}", "-I", copied,
            "-I", pathlib.Path(module) / "std", f"-o{plugin}:{out}", copy)
    run(go, "build", "-o", folder / "go_desk", ".", **options)
    return [folder / "go_desk"]


def rust(folder):
    cargo = tool("cargo", "Rust")
    work = folder / "rust"
    for file in ("Cargo.toml", "build.rs", "src/main.rs"):
        copy_if_changed((HERE / "rust" / file).read_text(), work / file)
    for schema in (SCHEMAS / "costar").glob("*.capnp"):
        copy_if_changed(schema.read_text(), work / "schemas/costar" / schema.name)
    copy_if_changed((HERE / "desk.capnp").read_text(), work / "schemas/desk.capnp")
    fetch("the crates of rust/Cargo.toml", cargo, "fetch", cwd=work)
    run(cargo, "build", "--offline", cwd=work,
        env=os.environ | {"DESK_SCHEMAS": str(work / "schemas")})
    return [work / "target/debug/desk"]


def address_of(process):
    address = process.stdout.readline().strip()
    if not address:
        sys.exit("the server has said no address")
    return address


def check(who, output, cases):
    expected = "".join(f"{case}: ok\n" for case in cases)
    if output != expected:
        sys.exit(f"{who} printed\n{output}\nand not\n{expected}")
    print(f"{who}: {len(cases)} cases ok")


def against_node(program, node):
    """The program is a client, which has the node end at last."""
    with subprocess.Popen([node], stdout=subprocess.PIPE, text=True) as serving:
        try:
            calling = subprocess.run(
                [*program, "client", address_of(serving)], stdout=subprocess.PIPE, text=True, timeout=60)
            check("the client", calling.stdout, CLIENT_CASES)
            if calling.returncode != 0 or serving.wait(timeout=20) != 0:
                sys.exit(f"the client ended with {calling.returncode}, the node with {serving.returncode}")
        finally:
            serving.kill()


def against_server(program, caller):
    """The program is a server, and is ended when costar wants to be cut off."""
    with subprocess.Popen([*program, "server"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True) as serving:
        with subprocess.Popen([caller, address_of(serving)], stdout=subprocess.PIPE, text=True) as calling:
            limit = threading.Timer(60, calling.kill)
            limit.start()
            try:
                said = ""
                for line in calling.stdout:
                    if line == "cut me off\n":
                        serving.kill()
                    else:
                        said += line
                check("costar as the client", said, CALLER_CASES)
                if calling.wait(timeout=20) != 0:
                    sys.exit(f"costar as the client ended with {calling.returncode}")
            finally:
                limit.cancel()
                calling.kill()
                serving.kill()


DEMO = """python: the host says "hello alice"
python: the host says "hello bob"
python: and nobody says 3
"""


def demo(program, node):
    """Demo 36: its client in Python against its node, which ends when its input does."""
    with subprocess.Popen([node], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as serving:
        client = HERE.parents[1] / "demos/remote/36_python_client/client.py"
        try:
            said = run(program[0], client, address_of(serving))
            if said != DEMO:
                sys.exit(f"the demo printed\n{said}")
            print("the demo: ok")
            serving.stdin.close()
            if serving.wait(timeout=20) != 0:
                sys.exit(f"the node ended with {serving.returncode}")
        finally:
            serving.kill()


LANGUAGES = ["C++", "Python", "Go", "Rust"]


def rows_of(page, title):
    """The cells of the table below a title, without the line between its head and the rest."""
    lines = page.split(f"\n## {title}\n")[1].split("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [rows[0], *rows[2:]]


def versions():
    cargo = (HERE / "rust/Cargo.toml").read_text()
    crates = dict(re.findall(r'^([\w-]+) = "=([\d.]+)"$', cargo, re.MULTILINE))
    return {"Python": f"pycapnp {PYCAPNP}", "Go": f"capnp {GO_CAPNP}",
            "Rust": f"capnp {crates['capnp']}, capnp-rpc {crates['capnp-rpc']}"}


def problems(page):
    shown = rows_of(page, "What is shown")
    if shown[0][1:5] != LANGUAGES:
        yield f"the languages are {shown[0][1:5]}"
    for row in shown[1:]:
        if row[1:5] != ["x"] * 4:
            yield f"{row[0]}: every language runs every case"
    for column, cases in ((5, CLIENT_CASES), (6, CALLER_CASES)):
        told = [case for row in shown[1:] for case in re.findall(r"`([^`]+)`", row[column])]
        if sorted(told) != sorted(cases):
            yield f"\"{shown[0][column]}\": the page has {sorted(told)}, and run are {sorted(cases)}"
    differing = rows_of(page, "What differs")
    for column, language in enumerate(LANGUAGES, 1):
        if not differing[0][column].endswith(versions().get(language, "")):
            yield f"{language}: the page has {differing[0][column]}, and there is {versions()[language]}"
    for row in differing[1:]:
        case, star = re.fullmatch(r"`([^`]+)`(\*?)", row[5]).groups()
        if case not in (CALLER_CASES if star else CLIENT_CASES):
            yield f"{row[0]}: nobody runs {row[5]}"


def hold_page():
    page = (HERE.parents[1] / "docs/guide/interop.md").read_text()
    found = list(problems(page))
    for right, wrong in (("`cancelled method` |", "|"), ("| x | `stream` |", "| | `stream` |"),
                         (f"pycapnp {PYCAPNP}", "pycapnp 2.0"), ("`call beside one", "`a call beside one")):
        if right not in page or not list(problems(page.replace(right, wrong))):
            found.append(f"nobody has found \"{wrong}\" for \"{right}\"")
    for each in found:
        print(f"docs/guide/interop.md: {each}")
    sys.exit(1 if found else 0)


def main(language, folder="", node=None, caller=None, ez_desk=None):
    if language == "page":
        hold_page()
    if language == "demo":
        demo(python(pathlib.Path(folder).resolve()), node)
        return
    made = {"c++": lambda _: [ez_desk], "python": python, "go": go, "rust": rust}
    program = made[language](pathlib.Path(folder).resolve())
    against_node(program, node)
    against_server(program, caller)


if __name__ == "__main__":
    main(*sys.argv[1:])
