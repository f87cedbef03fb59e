#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles the mistakes that people make, and looks for the sentence that tells them so.

Each must be refused, or warned of, with its sentence in the five lines of the first error, or else warning.
What compilers list before it, how a header was included or a template made, does not count.

Usage: mistakes.py BUILD_FOLDER COMPILER...
"""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from snippets import build_flags

COMMON = """
#include <costar/actor/engine.hpp>
using namespace costar;
struct deposit { int amount; };
struct question { using reply = std::string; };
struct my_class {
    explicit my_class(int) {}
    void operator()(const deposit&) {}
};
"""

BODY = "the body of an actor is a coroutine function that takes context& first"
HANDLER = "a handler takes one message and names its type"
OPERATOR = "an actor class has one public call operator for each message"

# What is written, and the sentence about it.
MISTAKES = {
    "a body that is no coroutine": (
        "void body(context&) {} void go(engine& e) { e.spawn(body); }",
        BODY),
    "a body without context": (
        "task<> body(int) { co_return; } void go(engine& e) { e.spawn(body, 3); }",
        BODY),
    "a body that takes something else": (
        'task<> body(context&, int) { co_return; } void go(engine& e) { e.spawn({.name = "x"}, body, '
        "deposit{}); }",
        BODY),
    "a body that takes more": (
        'task<> body(context&, int) { co_return; } void go(engine& e) { e.spawn("name", body); }',
        BODY),
    "a body of a child": (
        "int body(context&) { return 1; } void go(context& self) { self.spawn(body); }",
        BODY),
    "a reference as parameter": (
        "task<> body(context&, int&) { co_return; } void go(engine& e) { int i = 0; e.spawn(body, i); }",
        "an actor's parameters must be values"),
    "a reference as parameter of one that does not throw": (
        "task<> body(context&, const std::string&) noexcept { co_return; } void go(engine& e) { "
        'e.spawn(body, std::string("x")); }',
        "an actor's parameters must be values"),
    "a reference as parameter of a mutable lambda": (
        "void go(engine& e) { e.spawn([](context&, const deposit&) mutable -> task<> { co_return; }, "
        "deposit{}); }",
        "an actor's parameters must be values"),
    "a hook with a parameter of its own": (
        "struct hooked { void operator()(deposit) {} void started(int) {} }; "
        "void go(engine& e) { e.spawn<hooked>(); }",
        "started, restarting, stopping and stopped of an actor class take context& or nothing"),
    "a hook that gives something": (
        "struct hooked { void operator()(deposit) {} int stopping(context&) { return 1; } }; "
        "void go(engine& e) { e.spawn<hooked>(); }",
        "started, restarting, stopping and stopped of an actor class give nothing"),
    "an abstract class": (
        "struct shape { void operator()(deposit) {} virtual void draw() = 0; }; "
        "void go(engine& e) { e.spawn<shape>(); }",
        "the actor class is abstract"),
    "an operator with two messages": (
        "struct two { void operator()(deposit, question) {} }; void go(engine& e) { e.spawn<two>(); }",
        "public call operator for each message"),  # Clang sees an operator too many, GCC none
    "arguments behind the name of a class": (
        'void go(engine& e) { e.spawn<my_class>("name", 3); }',
        "between the name of an actor class and its arguments stand its options"),
    "an argument that is not moved": (
        "task<> body(context&, std::unique_ptr<int>) { co_return; } "
        "void go(engine& e) { auto i = std::make_unique<int>(3); e.spawn(body, i); }",
        "an argument cannot be copied to the actor"),
    "a member function as handler": (
        "struct desk { void take(const deposit&) {} }; "
        "void go(message& m) { m.match(&desk::take); }",
        "a member function needs its object"),
    "a lambda that captures": (
        "void go(engine& e) { int i = 0; e.spawn([i](context&) -> task<> { (void)i; co_return; }); }",
        "an actor's lambda may not capture"),
    "a member function": (
        "struct other { task<> run(context&) { co_return; } }; void go(engine& e) { other o; "
        "e.spawn(&other::run, &o); }",
        "a member function is no body of an actor"),
    "no body": (
        'void go(engine& e) { e.spawn("name"); }',
        "spawn needs the body of the actor"),
    "arguments of a class in front": (
        "void go(engine& e) { e.spawn<my_class>(3); }",
        "stand behind its name or options: spawn<my_class>({}, 3)"),
    "no arguments for a class": (
        "void go(engine& e) { e.spawn<my_class>(); }",
        "the actor class has no constructor without arguments"),
    "other arguments for a class": (
        "void go(engine& e) { e.spawn<my_class>({}, deposit{}); }",
        "the actor class has no constructor for these arguments"),
    "a class with private operators": (
        "class hidden { void operator()(const deposit&) {} }; void go(engine& e) { e.spawn<hidden>(); }",
        OPERATOR),
    "two operators for one message": (
        "struct twice { void operator()(deposit) {} void operator()(const deposit&) {} };void go(engine& "
        "e) { e.spawn<twice>(); }",
        OPERATOR),
    "a class without operators": (
        "struct empty {}; void go(engine& e) { e.spawn<empty>(); }",
        "an actor class has a public call operator for each message"),
    "a handler for anything": (
        "void go(message& m) { m.match([](auto&) {}); }",
        HANDLER),
    "a handler with two parameters": (
        "void go(message& m) { m.match([](const deposit&, int) {}); }",
        HANDLER),
    "two handlers for one message": (
        "void go(message& m) { m.match([](const deposit&) {}, [](deposit) {}); }",
        "two handlers take the same message type"),
    "a literal as message": (
        'void go(context& self, pid to) { self.send(to, "hello"); }',
        "a message is an object"),
    "a literal as message from outside": (
        'void go(engine& e, pid to) { e.send(to, "hello"); }',
        "a message is an object"),
    "a literal as answer": (
        'void go(message& m) { m.respond("hello"); }',
        "an answer is an object of the reply's type"),
    "a literal as answer to the last request": (
        'void go(context& self) { self.respond("hello"); }',
        "an answer is an object of the reply's type"),
    "a wait that is not awaited": (
        "void go(context& self, pid who) { self.wait(who); }",
        "nodiscard"),
    "a receive that is not awaited": (
        "void go(context& self) { self.receive(); }",
        "nodiscard"),
    "a request that is not awaited": (
        "void go(context& self, pid to) { self.ask(to, question{}); }",
        "nodiscard"),
    "a send that is not awaited": (
        "void go(context& self, pid to) { self.send_async(to, deposit{}); }",
        "nodiscard"),
    "a message that is taken and dropped": (
        "void go(context& self) { self.try_receive(); }",
        "nodiscard"),
    "a sleep that is not awaited": (
        "void go() { sleep_for(std::chrono::seconds(1)); }",
        "nodiscard"),
}

# As above, of Cap'n Proto RPC, where it is built.
RPC = '#include <costar/rpc/await.hpp>\nusing namespace costar;\n'
RPC_MISTAKES = {
    "a promise that is awaited by its name": (
        "task<> go() { kj::Promise<int> promise(1); co_await promise; }",
        "write co_await kj::mv(promise)"),
}

# What is passed to the compiler beside the flags of pkg-config, or instead of one, and the sentence about it.
SETTINGS = {
    "-fno-rtti": "costar needs run-time type information",
    "-fno-exceptions": "costar needs exceptions",
    "-std=c++17": "costar needs C++20",
    "-UBOOST_ASIO_SEPARATE_COMPILATION": "costar compiles Asio once, into its library",
}


def said_by(compiler, flags, source, *options):
    standard = [] if any(str(option).startswith("-std=") for option in options) else ["-std=c++20"]
    done = subprocess.run(
        [*compiler, *standard, "-Wall", "-fsyntax-only", *flags, *options, "-x", "c++", "-"],
        input=source, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C", "CCACHE_DISABLE": "1"})
    lines = done.stderr.splitlines()
    for kind in ("error", "warning"):
        for first, line in enumerate(lines):
            if f"{kind}: " in line:
                return "\n".join(lines[first : first + 5])
    return "nothing"


def main(build, *compiler):
    flags = [flag for flag in build_flags(pathlib.Path(build)) if flag.startswith(("-I", "-D"))]
    with tempfile.TemporaryDirectory() as folder:
        # What all have in common is compiled once.
        common = pathlib.Path(folder, "common.hpp")
        common.write_text(COMMON)
        suffix = ".pch" if "clang" in pathlib.Path(compiler[-1]).name else ".gch"
        subprocess.run(
            [*compiler, "-std=c++20", "-Wall", *flags, "-x", "c++-header", common, "-o", f"{common}{suffix}"],
            check=True, env=os.environ | {"CCACHE_DISABLE": "1"})
        old = [shutil.which(name) for name in ("g++-12", "g++-11") if shutil.which(name)][:1]
        jobs = {name: (compiler, code, ["-include", common], sentence)
                for name, (code, sentence) in MISTAKES.items()}
        if any(pathlib.Path(build).rglob("costar-rpc.pc")):
            jobs |= {name: (compiler, RPC + code, ["-include", "costar/rpc/kj.hpp"], sentence)
                     for name, (code, sentence) in RPC_MISTAKES.items()}
        jobs |= {option: (compiler, COMMON, [option], sentence) for option, sentence in SETTINGS.items()}
        jobs |= {name: ([name], COMMON, [], "costar needs GCC 13 or newer") for name in old}
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            said = {name: pool.submit(said_by, job[0], flags, job[1], *job[2])
                    for name, job in jobs.items()}
    wrong = 0
    for name, job in jobs.items():
        if job[3] not in said[name].result():
            wrong += 1
            print(f"{name}: expected '{job[3]}', but the compiler says\n{said[name].result()}\n")
    print(f"{len(jobs)} mistakes, {wrong} without their sentence")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
