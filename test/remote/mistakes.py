#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds links with deliberate mistakes, and sees that the random world of nodes finds each of them.

A mistake is texts of sources of room remote and what stands in their place. These files are compiled as they
are in the build folder and linked in front of the library; the world must fail within so many seeds.

Usage: mistakes.py BUILD_FOLDER
"""

import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WORLD = "test/remote/test_remote_world"
SEEDS = 3000

# What is wrong: for each place the file, what stands there, and what stands there instead.
MISTAKES = {
    "a message for a former life is delivered to this one": [
        ("link_out.cpp",
         "else if (out.target.node() != peer_)  // of a former life of the peer",
         "else if (out.target.node() == 0)"),
        ("switchboard.cpp",
         "if (life != life_) {",
         "if (life != life_ && wire::text(from.getAddress()) != address_) {")],
    "a heartbeat that is not answered is ignored": [
        ("link.cpp",
         "else if (place->there->connection_.bytes_received() == before)",
         "else if (place->there->connection_.bytes_received() < before)")],
    "a heartbeat has no time to be answered": [
        ("link.cpp",
         "co_await with_timeout(options.silence_max, rpc::send(ping));",
         "co_await with_timeout(std::chrono::nanoseconds(1), rpc::send(ping));")],
    "requests that wait for a link are forgotten when it ends": [
        ("switchboard.cpp",
         "    const errc why = machine::reason_of_loss(reason);\n    lose(where, why);",
         "    const errc why = machine::reason_of_loss(reason);")],
    "requests that were sent are forgotten when a link ends": [
        ("link.cpp",
         "post().fail(waits.token, errc::link_lost);",
         "static_cast<void>(waits);")],
    "watchers are not told when a link ends": [
        ("link.cpp",
         "post().tell_watcher(each.watcher, each.target, errc::unreachable);",
         "static_cast<void>(each);")],
    "news of an end do not leave": [
        ("switchboard.cpp",
         "if (const pid route = book_.route_of({news.about, {news.to, news.is_linked}}))\n"
         "            return route;",
         "return {};")],
    "a wait for an end is not passed on": [
        ("link_in.cpp",
         "post().await_end(is_ours ? to : pid(), token, {});\n        return;\n    }\n    case kind::restart",
         "return;\n    }\n    case kind::restart")],
    "a refusal is not sent": [
        ("link_in.cpp",
         "out.failure = why;\n    queue(std::move(out));",
         "out.failure = why;")],
    "an answer is not sent": [
        ("link_out.cpp",
         "        queue(std::move(out));\n        if (spare",
         "        if (spare")],
    "messages overtake each other": [
        ("link_out.cpp",
         "    letters_.push_back(std::move(out));",
         "    letters_.push_front(std::move(out));")],
    "a message is sent twice": [
        ("link_out.cpp",
         "letters_.begin() + static_cast<std::ptrdiff_t>(count));",
         "letters_.begin() + static_cast<std::ptrdiff_t>(count - count / 7));")],
    "a small message overtakes a large one": [
        ("link_out.cpp",
         "    if (bulk_.takes(out)) {\n        bulk_.push({std::move(out)",
         "    if (out.body_bytes().size() > bytes_of_a_part) {\n        bulk_.push({std::move(out)")],
    "a large message overtakes a small one": [
        ("link_bulk.cpp",
         "place->there->ordinary_taken_ < count",
         "place->there->ordinary_taken_ + 1000 < count")],
    "an address that could not be dialled is never dialled again": [
        ("peer_book_links.cpp",
         "if (std::erase_if(dialled_, [&](const auto& each) { return each.second == link; }) == 0 &&",
         "if (!ended_.contains(link) &&")],
    "what a welcome tells of other connections is not looked at": [
        ("link_greeting.cpp",
         "cast.told.push_back(told[i]);",
         "static_cast<void>(told[i]);")],
    "each node uses the connection that it has dialled": [
        ("election.cpp",
         "return best;",
         "return nullptr;")],
    "of two nodes that dial each other both give way": [
        ("election.cpp",
         "std::tie(each.dialler, each.nonce) < std::tie(",
         "std::tie(each.dialler, each.nonce) != std::tie(")],
    "what waits for a link that yields is lost": [
        ("handing_over.cpp",
         "hand<departing>(self, to, next);",
         "next.mark_handled();")],
}


def compile_command(build, file):
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if entry["output"].startswith("lib/libcostar_remote") and entry["file"].endswith("remote/" + file):
            return shlex.split(entry["command"])
    raise SystemExit(f"lib/remote/{file} is not compiled in {build}")


def link_command(build):
    lines = subprocess.run(["ninja", "-C", build, "-t", "commands", WORLD], check=True, text=True,
                           capture_output=True).stdout.splitlines()
    return shlex.split(lines[-1])


def try_mistake(build, folder, what):
    """None where it is found, else what went wrong."""
    place = pathlib.Path(folder) / str(list(MISTAKES).index(what))
    place.mkdir()
    program = place / "world"
    objects = []
    for file, right, wrong in MISTAKES[what]:
        text = (ROOT / "lib" / "remote" / file).read_text()
        if text.count(right) != 1:
            return f"lib/remote/{file} has no such place any more, or several"
        source, made = place / file, place / (file + ".o")
        source.write_text(text.replace(right, wrong))
        command = compile_command(build, file)
        command[command.index("-c") + 1] = str(source)
        command[command.index("-o") + 1] = str(made)
        command[command.index("-MF") + 1] = str(place / "made.d")
        command.insert(command.index("-c"), f"-iquote{ROOT}/lib/remote")
        command.insert(command.index("-c"), "-w")
        done = subprocess.run(command, cwd=build, capture_output=True, text=True)
        if done.returncode != 0:
            return "it does not compile:\n" + done.stderr
        objects.append(str(made))
    command = link_command(build)
    command[command.index("-o") + 1] = str(program)
    at = command.index("-o")
    command[at:at] = objects
    subprocess.run(command, cwd=build, check=True)

    environment = {**os.environ, "COSTAR_SEEDS": str(SEEDS)}
    try:
        done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        return None  # it stands still, which is found as well
    finally:
        program.unlink()
    if done.returncode == 0:
        return f"{SEEDS} seeds have not found it"
    said = [line.strip() for line in done.stdout.splitlines() if "COSTAR_SEED=" in line or "SIG" in line]
    print(f"found: {what}: {said[0] if said else 'it ends'}", flush=True)
    return None


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        tried = {what: pool.submit(try_mistake, build, folder, what) for what in MISTAKES}
        missed = {what: each.result() for what, each in tried.items() if each.result() is not None}
    for what, why in missed.items():
        print(f"not found: {what}: {why}")
    print(f"{len(MISTAKES) - len(missed)} of {len(MISTAKES)} mistakes are found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
