#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs the built library into an empty folder and builds a small consumer in each way there is.

With the flags of pkg-config and with CMake's find_package, in a folder that does not know the source tree,
and with costar as a Meson subproject; more that use Cap'n Proto RPC and a schema, where costar was built with
it. All programs must run and print the same line. One that is compiled with other settings than the library
must not link, and be told which.

Usage: install.py BUILD_FOLDER COMPILER...
"""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
EXPECTED = "hello from an installed costar\n"

# What needs Cap'n Proto, each a package of its own.
PARTS = ("rpc", "wire", "remote")


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def only(paths, what):
    found = list(paths)
    if len(found) != 1:
        sys.exit(f"{what}: expected one, found {[str(path) for path in found]}")
    return found[0]


def check(how, output):
    if output != EXPECTED:
        sys.exit(f"{how}: the consumer printed {output!r}, expected {EXPECTED!r}")
    print(f"{how}: ok")


def has_rpc(tree):
    return any(tree.rglob("costar-rpc.pc"))


def flags_of(tree, package="costar"):
    """What pkg-config says of the installed library."""
    file = only(tree.rglob(f"{package}.pc"), "pkg-config file")
    environment = os.environ | {"PKG_CONFIG_PATH": str(file.parent)}
    return shlex.split(run("pkg-config", "--static", "--cflags", "--libs", file.stem, env=environment))


def by_pkg_config(compiler, tree, work):
    run(*compiler, "-std=c++20", HERE / "consumer.cpp", "-o", work / "by_pkg_config", *flags_of(tree))
    check("pkg-config", run(work / "by_pkg_config"))
    if has_rpc(tree):
        for part in PARTS:
            flags = flags_of(tree, f"costar-{part}")
            run(*compiler, "-std=c++20", HERE / f"consumer_{part}.cpp", "-o", work / part, *flags)
            check(f"pkg-config, {part}", run(work / part))


def by_cmake(compiler, tree, work):
    package = only(tree.rglob("costarConfig.cmake"), "CMake package").parent
    run(
        "cmake", "-S", HERE, "-B", work / "cmake", f"-Dcostar_DIR={package}",
        f"-DCMAKE_CXX_COMPILER={compiler[-1]}", "-DCMAKE_BUILD_TYPE=Debug",
        f"-Dwith_rpc={'ON' if has_rpc(tree) else 'OFF'}",
    )
    run("cmake", "--build", work / "cmake")
    check("cmake", run(work / "cmake" / "consumer"))
    if has_rpc(tree):
        for part in (*PARTS, "schema"):
            check(f"cmake, {part}", run(work / "cmake" / f"consumer_{part}"))


def with_other_settings(compiler, tree, work):
    done = subprocess.run(
        [*compiler, "-std=c++20", "-D_GLIBCXX_DEBUG", HERE / "consumer.cpp", "-o", work / "other",
         *flags_of(tree)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode == 0 or "costar::library_built_with::debug_containers" not in done.stdout:
        sys.exit(f"with other settings: expected an undefined symbol that names them\n{done.stdout}")
    print("with other settings: refused")


def by_meson(compiler, tree, work):
    consumer = work / "meson"
    (consumer / "subprojects").mkdir(parents=True)
    (consumer / "subprojects" / "costar").symlink_to(HERE.parent.parent)
    for source in (*HERE.glob("consumer*.cpp"), HERE / "greeting.capnp"):
        shutil.copy(source, consumer)
    shutil.copy(HERE / "consumer.meson.build", consumer / "meson.build")
    # Unoptimized, and in few units: that it builds and links is what counts.
    options = ["-Dbuildtype=plain", "-Dunity=subprojects", "-Dunity_size=100"]
    environment = os.environ | {"CXX": shlex.join(compiler)}
    run("meson", "setup", *options, consumer / "build", consumer, env=environment)
    run("ninja", "-C", consumer / "build")
    check("meson", run(consumer / "build" / "consumer"))
    if has_rpc(tree):
        for part in (*PARTS, "schema"):
            check(f"meson, {part}", run(consumer / "build" / f"consumer_{part}"))


def by_installed_meson(compiler, tree, work):
    """A project that finds the installed library by pkg-config, and has a schema."""
    consumer = work / "schema"
    consumer.mkdir()
    for source in ("consumer_schema.cpp", "greeting.capnp"):
        shutil.copy(HERE / source, consumer)
    shutil.copy(HERE / "schema.meson.build", consumer / "meson.build")
    package = only(tree.rglob("costar-wire.pc"), "pkg-config file")
    environment = os.environ | {"CXX": shlex.join(compiler), "PKG_CONFIG_PATH": str(package.parent)}
    run("meson", "setup", consumer / "build", consumer, env=environment)
    run("ninja", "-C", consumer / "build")
    check("installed meson, schema", run(consumer / "build" / "consumer_schema"))


def main(build, *compiler):
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        tree = work / "installed"
        run("meson", "install", "-C", build, "--no-rebuild", "--destdir", tree)
        by_pkg_config(compiler, tree, work)
        with_other_settings(compiler, tree, work)
        if shutil.which("cmake"):
            by_cmake(compiler, tree, work)
        else:
            print("cmake: not installed, not tested")
        if has_rpc(tree):
            by_installed_meson(compiler, tree, work)
        by_meson(compiler, tree, work)


if __name__ == "__main__":
    main(*sys.argv[1:])
