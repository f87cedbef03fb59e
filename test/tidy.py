#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the layout and the texts of the project.

Each rule is a function that is given the tree, a dictionary from path to text, and yields what it finds as
(path, line, what, do this instead). tidy_test.py holds a test of each.
"""

import itertools
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# The floors of the house, lowest first. Rooms on one floor do not know each other.
FLOORS = [
    {"ground"},
    {"core"},
    {"calendar", "post", "rpc"},
    {"kernel"},
    {"actor"},
    {"wire", "pattern", "observe", "bot", "testing"},
    {"remote", "persistence"},
    {"cluster"},
    {"cli"},
]
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

CODE = (".hpp", ".cpp")
COLUMNS = 110

rules = []


def rule(function):
    rules.append(function)
    return function


def files(tree, *prefixes, suffix=CODE):
    return ((path, text) for path, text in sorted(tree.items())
            if path.endswith(suffix) and (not prefixes or path.startswith(prefixes)))


def lines(text):
    return enumerate(text.split("\n"), start=1)


def includes(text):
    """Line number, opening bracket or quote, and name of each #include."""
    for number, line in lines(text):
        if found := re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line):
            yield number, found[1], found[2]


def room_of(path):
    """The room that a file of include/costar, lib or test belongs to, or None."""
    found = re.match(r"(?:include/costar|lib|test)/(\w+)/", path)
    return found[1] if found and found[1] in FLOOR_OF else None


def search(tree_files, pattern, what, instead):
    for path, text in tree_files:
        for number, line in lines(text):
            if re.search(pattern, line):
                yield path, number, what, instead


@rule
def includes_point_down(tree):
    for path, text in files(tree, "include/", "lib/"):
        here = room_of(path)
        for number, _, name in includes(text):
            found = re.match(r"costar/(\w+)/", name)
            there = found[1] if found else here
            if here and there != here and FLOOR_OF.get(there, 99) >= FLOOR_OF[here]:
                yield path, number, f"{here} includes {there}", "include the same room or a lower floor only"


HEADERS_OF_A_ROOM = 20
LINES_OF_A_FILE = 400


@rule
def rooms_can_be_drawn_on_one_sheet(tree):
    headers = [path for path, _ in files(tree, "include/", suffix=".hpp")]
    for room in sorted({room_of(path) for path in headers} - {None}):
        own = [path for path in headers if room_of(path) == room]
        if len(own) > HEADERS_OF_A_ROOM:
            yield own[-1], 1, f"is header {len(own)} of {room}", "split the room by a noun"
    for path, text in files(tree, "include/", "lib/"):
        if text.count("\n") > LINES_OF_A_FILE:
            yield path, LINES_OF_A_FILE, f"has {text.count(chr(10))} lines", "split the file by a noun"


@rule
def private_headers_stay_in_their_room(tree):
    for path, text in files(tree, "lib/"):
        for number, bracket, name in includes(text):
            if bracket == '"' and "/" in name:
                yield path, number, f"includes {name}", "a private header is for the room it lies in"


@rule
def public_headers_include_public_headers(tree):
    for path, text in files(tree, "include/"):
        for number, bracket, name in includes(text):
            if bracket == '"' or name.startswith("lib/"):
                yield path, number, f"includes {name}", "write <costar/room/file.hpp>; lib/ is private"


@rule
def asio_comes_in_single_headers(tree):
    pattern = r'#\s*include\s*<boost/(asio|beast|json/src|cobalt)\.hpp>'
    return search(files(tree, "include/", "lib/", "test/", "demos/"), pattern,
                  "includes a whole library", "include the single headers that are used")


@rule
def tests_use_what_both_catch2_have(tree):
    pattern = r"\bCatch::(?!Matchers::(StartsWith|EndsWith|Equals|Message)\b)\w+"
    return search(files(tree, "test/", suffix=".test.cpp"), pattern,
                  "is not in Catch2 2 and 3", "see test/support/catch.hpp for what is in both")


# Nothing but templates or plain data: a source could only include the header, which test/header does.
WITHOUT_SOURCE = {"actor/address", "actor/behaviours", "actor/class_actor", "actor/engine_options",
                  "actor/outside_request", "actor/passivation", "actor/spawn_forms", "actor/spawner",
                  "kernel/extensions", "kernel/extras", "kernel/figures", "kernel/gateway",
                  "kernel/mailbox", "kernel/spawn_options", "post/call_operators", "post/copyable",
                  "post/headers", "post/interceptor", "post/outgoing", "remote/figures", "rpc/await",
                  "rpc/call", "rpc/kj", "rpc/kj_comparison", "rpc/nothrow", "rpc/promise", "rpc/service",
                  "testing/linearizable", "wire/boxed", "wire/codec", "wire/mapping", "wire/record",
                  "wire/values"}
# Plain data, and what is tested with the thing it belongs to: the mailbox, the middleware, the faults, the
# spawner; the call with the service; mapping and codec with flat messages; and what test/mistakes.py and
# test/install hold.
WITHOUT_TEST = {"actor/birth_place", "actor/engine_options", "actor/passivation", "actor/spawn_forms",
                "ground/requirements", "kernel/commons", "kernel/extras", "kernel/figures",
                "kernel/send_async", "post/headers", "post/interceptor", "post/outgoing", "rpc/call",
                "rpc/kj", "rpc/kj_comparison", "rpc/nothrow", "wire/codec", "wire/mapping"}


@rule
def guarantees_name_tests_that_there_are(tree):
    path = "docs/guide/guarantees.md"
    for number, line in lines(tree.get(path, "")):
        if row := re.match(r"\| (?:under load: )?`(test/[^`]+\.cpp)` \| (.+?)(?: \(.*)? \|$", line):
            cases = re.findall(r'TEST_CASE\(\s*"([^"]+)"(?:\s*"([^"]+)")?', tree.get(row[1], ""))
            if row[2] not in ["".join(case) for case in cases]:
                yield path, number, "names a test that is not there", "name the case that holds this promise"


@rule
def headers_have_source_and_test(tree):
    for path in [path for path, _ in files(tree, "include/", suffix=".hpp")]:
        room, name = path.split("/")[-2], path.split("/")[-1].removesuffix(".hpp")
        source = f"lib/{room}/{name}.cpp"
        if room not in ("ground", "core") and source not in tree and f"{room}/{name}" not in WITHOUT_SOURCE:
            yield path, 1, "has no source", f"add {source}; header-only files live in ground and core"
        if f"test/{room}/{name}.test.cpp" not in tree and f"{room}/{name}" not in WITHOUT_TEST:
            yield path, 1, "has no test", f"add test/{room}/{name}.test.cpp"


@rule
def own_header_comes_first(tree):
    for path, text in files(tree, "lib/", "test/", suffix=".cpp"):
        room, name = room_of(path), path.split("/")[-1].removesuffix(".cpp").removesuffix(".test")
        own = f"costar/{room}/{name}.hpp"
        if room and f"include/{own}" in tree:
            first = next(includes(text), (1, "<", "nothing"))
            if first[2] != own:
                yield path, first[0], f"begins with {first[2]}", f"include <{own}> first"


@rule
def white_space_is_plain(tree):
    for path, text in sorted(tree.items()):
        for number, line in lines(text):
            if "\t" in line and not path.endswith(("Makefile", ".go", "go.mod")):  # gofmt indents with tabs
                yield path, number, "has a tab", "indent with spaces"
            if line != line.rstrip():
                yield path, number, "ends with a space", "remove it"
        if text and (not text.endswith("\n") or text.endswith("\n\n")):
            yield path, text.count("\n") + 1, "does not end with one newline", "end the last line with one"


@rule
def lines_are_short(tree):
    for path, text in files(tree, suffix=(*CODE, ".py")):
        for number, line in lines(text):
            if len(line) > COLUMNS:
                yield path, number, f"has {len(line)} columns", f"break the line before column {COLUMNS}"


@rule
def licence_comes_first(tree):
    licence = "SPDX-License-Identifier: MIT"
    for path, text in files(tree, suffix=(*CODE, ".hpp.in", ".cpp.in", ".go", ".rs")):
        if not text.startswith(f"// {licence}\n\n"):
            yield path, 1, "has no licence line", f"begin with // {licence} and an empty line"
    for path, text in sorted(tree.items()):
        if text.startswith("#!") and text.split("\n")[1] != f"# {licence}":
            yield path, 2, "has no licence line", f"write # {licence} in the second line"


@rule
def nothing_is_put_off(tree):
    # The brackets keep the words out of this file.
    return search(files(tree), r"\b(T[O]DO|F[I]XME|X[X]X|N[O]LINT)|#\s*if [0]\b",
                  "leaves something undone or switched off", "do it, or say what holds today")


@rule
def headers_open_no_namespace(tree):
    return search(files(tree, suffix=".hpp"), r"^\s*using namespace\b",
                  "opens a namespace for everyone who includes it", "write the names out")


@rule
def nothing_hides_in_detail(tree):
    outside = ((path, text) for path, text in files(tree, "include/", "lib/") if room_of(path) != "core")
    yield from search(outside, r"\bdetail\b\s*(::|\{)",
                      "uses a detail namespace", "name what it is, in its own room")
    for path in sorted(tree):
        if found := re.search(r"/(detail|impl|util|utils|common|misc)/", "/" + path):
            yield path, 1, f"lies in a folder named {found[1]}", "put it into the room whose noun it is"


@rule
def library_is_silent(tree):
    return search(files(tree, "include/", "lib/"), r"\bstd::(cout|cerr|clog)\b|\bf?printf\(|\bfmt::print\(",
                  "prints", "use costar/core/log.hpp")


@rule
def tests_do_not_sleep(tree):
    return search(files(tree, "test/"), r"\bthis_thread::sleep_|\busleep\(|\bnanosleep\(",
                  "waits in real time", "let a manual clock advance, or wait for the event itself")


@rule
def properties_are_checked(tree):
    """What rc::check says is a value, which a test has to look at."""
    return search(files(tree, "test/"), r"(?:^|[;{}])\s*rc::check\(",
                  "is a property whose failure nobody sees", "write CHECK(rc::check(...))")


@rule
def coroutine_lambdas_capture_nothing(tree):
    for path, text in files(tree):
        for found in re.finditer(r"\[[^\][]+\]\s*\([^(){}]*\)\s*(mutable\s*)?->\s*(costar::)?task<", text):
            yield (path, text.count("\n", 0, found.start()) + 1, "is a coroutine lambda with captures",
                   "pass arguments: captures die with the lambda, before the coroutine does")


@rule
def headers_are_guarded(tree):
    for path, text in files(tree, suffix=".hpp"):
        if not re.search(r"^#pragma once$", text, re.MULTILINE):
            yield path, 1, "has no include guard", "write #pragma once after the licence line"


def is_listed(tree, path):
    """Whether a meson.build above names the file, by its path from there, with suffix or without."""
    for folder in pathlib.PurePosixPath(path).parents:
        name = str(pathlib.PurePosixPath(path).relative_to(folder))
        build = tree.get(str(folder / "meson.build"), "")
        if f"'{name}'" in build or f"'{name.removesuffix('.cpp')}'" in build:
            return True
    return False


@rule
def files_are_built(tree):
    public = files(tree, "include/")
    sources = files(tree, "lib/", "test/", "demos/", "benchmarks/", suffix=".cpp")
    for path, _ in itertools.chain(public, sources):
        if not path.startswith("test/install/") and not is_listed(tree, path):
            yield path, 1, "is in no meson.build", "list it there, or remove the file"


@rule
def documents_have_one_title(tree):
    for path, text in files(tree, suffix=".md"):
        bare = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        titles = len(re.findall(r"^# ", bare, re.MULTILINE))
        if titles != 1:
            yield path, 1, f"has {titles} titles of the first level", "give a document one"


def links(text):
    """Line number and target of each link outside of code blocks."""
    in_code = False
    for number, line in lines(text):
        if line.startswith("```"):
            in_code = not in_code
        if in_code:
            continue
        for found in re.finditer(r"\[[^\]]*\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
            if not re.match(r"[a-z]+:", found[1]):
                yield number, found[1]


def resolve(path, target):
    """The path that a relative link of a document points to; None if it leaves the project."""
    parts = path.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def anchors(text):
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@rule
def links_lead_somewhere(tree):
    for path, text in files(tree, suffix=".md"):
        for number, link in links(text):
            target, _, anchor = link.partition("#")
            goal = resolve(path, target) if target else path
            if goal not in tree and not any(other.startswith(f"{goal}/") for other in tree):
                yield path, number, f"links to {link}, which is not there", "mend the link"
            elif anchor and goal.endswith(".md") and anchor not in anchors(tree[goal]):
                yield path, number, f"links to {link}, which has no such heading", "mend the link"


@rule
def documents_are_linked(tree):
    linked = {resolve(path, link.partition("#")[0]) for path, text in files(tree, suffix=".md")
              for _, link in links(text)}
    for path, _ in files(tree, "docs/", suffix=".md"):
        if path not in linked:
            yield path, 1, "is linked from no document", "link it from README.md or its neighbours"


@rule
def named_tests_exist(tree):
    """A document names a test as `room/file`, with a case as `room/file`: *how its name goes on*."""
    for path, text in files(tree, "docs/", suffix=".md"):
        for number, line in lines(text):
            for found in re.finditer(r"`(%s|thread)/(\w+)`(?:: \*([^*]+)\*)?" % "|".join(FLOOR_OF), line):
                test = f"test/{found[1]}/{found[2]}.test.cpp"
                cases = re.sub(r'"\s*"', "", tree.get(test, ""))
                if test not in tree:
                    yield path, number, f"names {test}, which is not there", "name the test that shows it"
                elif found[3] and f": {found[3]}" not in cases:
                    yield path, number, f"{test} has no case *{found[3]}*", "name one that shows it"


def read_tree(root):
    """The text files of the project: neither build folders nor what git ignores nor what is not text,
    nor inputs of fuzzers, some of which look like it."""
    tree = {}
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        top = parts[0]
        if top == ".git" or top.startswith("build") or top.startswith("install") or "__pycache__" in parts:
            continue
        if parts[:3] == ("test", "fuzz", "corpus"):
            continue
        if top == "subprojects" and path.suffix != ".wrap" or top in (".cache", ".vscode", ".idea"):
            continue
        if path.is_file():
            try:
                tree["/".join(parts)] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                pass
    return tree


def main():
    tree = read_tree(ROOT)
    problems = list(itertools.chain.from_iterable(check(tree) for check in rules))
    for path, line, what, instead in problems:
        print(f"{path}:{line}: {what}, {instead}")
    print(f"{len(tree)} files, {len(rules)} rules, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
