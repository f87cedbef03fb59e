#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds today's schemas against the frozen copy of the protocol, field by field: whoever knows that alone
must understand what is said today. And puts mistakes into copies of the schemas, each of which must be found.
"""

import pathlib
import sys
import tempfile

from schemas import differences, read

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SCHEMAS = ROOT / "schemas"
NAMES = ["values", "directory", "node"]
FROZEN = ROOT / "test/remote/frozen/protocol_1.capnp"

# The file, what stands there, what stands there instead, and what must be said of it; nothing for what may be
# done.
CHANGES = [
    ("node", "oldest @1 :UInt16;", "oldest @1 :UInt32;", "Greeting.oldest @1 was UInt16, and is UInt32"),
    ("node", "newest @0 :UInt16;\n  oldest @1", "oldest @0 :UInt16;\n  newest @1",
     "Greeting.newest @0 is called oldest"),
    ("node", "newest @0 :UInt16;\n  oldest @1 :UInt16;", "newest @0 :UInt8;\n  oldest @1 :UInt16;",
     "Greeting.newest @0 was UInt16, and is UInt8"),
    ("node", "messageMax @5 :UInt32;", "messageMax @5 :UInt32 = 1;",
     "Greeting.messageMax @5 had the default"),
    ("node", "link @3 :UInt64;", "", "Batch.link @3 is gone"),
    ("node", "headers @8 :List(Directory.Header);", "headers @8 :List(Text);",
     "Envelope.headers @8 was List(Header), and is List(Text)"),
    ("node", "struct Welcome @0x84d56f80cb52f990", "struct Welcome @0x84d56f80cb52f991",
     "Welcome, 0x84d56f80cb52f990, is gone"),
    ("node", "interface Sink @0x8c1b291c72439306", "interface Sink @0x8c1b291c72439307", "Sink, "),
    ("node", "piece @2 (part :Part) -> stream;", "", "Sink.piece @2 is gone"),
    ("node", "deliver @0 (batch :Batch) -> stream;", "deliver @0 (batch :Batch) -> ();",
     "Sink.deliver @0 gives"),
    ("node", "ping @3 () -> ();", "pong @3 () -> ();", "Node.ping @3 is called pong"),
    ("node", "find @2 (name :Text)", "find @2 (who :Text)", "Node.find @2 takes who where name was"),
    ("node", "spawn @4 (kind :Text, name :Text, type :UInt64, arguments :Data)",
     "spawn @4 (kind :Text, name :Text, type :UInt64)", "Node.spawn @4 takes no arguments any more"),
    ("node", " extends(Directory.Directory)", "", "Node is no Directory any more"),
    ("directory", "ask @1 Message -> Answer;", "ask @1 Message -> Message;", "Actor.ask @1 gives"),
    ("values", "slot @2 :UInt32;", "slot @2 :UInt64;", "Pid.slot @2 was UInt32, and is UInt64"),
    ("node", "link @5 :UInt64;", "link @5 :UInt64;\n  more @6 :Text;", ""),
    ("node", "ping @3 () -> ();", "ping @3 (more :Text) -> ();\n  more @5 () -> ();", ""),
    ("node", "nonce @6 :UInt64;", "obsolete @6 :UInt64;", ""),
    ("node", "Feature", "Trait", ""),
]


def today(root=SCHEMAS):
    return read(*(root / "costar" / f"{name}.capnp" for name in NAMES), root=root)


def changed(file, before, after):
    """Today's schemas with another text in one place."""
    with tempfile.TemporaryDirectory() as folder:
        copies = pathlib.Path(folder) / "costar"
        copies.mkdir()
        for name in NAMES:
            text = (SCHEMAS / "costar" / f"{name}.capnp").read_text()
            if name == file:
                if before not in text:
                    raise SystemExit(f"{file}.capnp has no \"{before}\" to be changed: follow it here")
                text = text.replace(before, after)
            (copies / f"{name}.capnp").write_text(text)
        return today(pathlib.Path(folder))


def main():
    frozen = read(FROZEN, root=SCHEMAS)
    problems = [f"protocol 1 is broken: {each}" for each in differences(frozen, today())]
    for file, before, after, expected in CHANGES:
        found = list(differences(frozen, changed(file, before, after)))
        if not any(each.startswith(expected) for each in found) if expected else found:
            problems.append(f"\"{after or 'nothing'}\" for \"{before}\" in {file}.capnp: "
                            f"expected \"{expected or 'nothing'}\", found {found}")
    for each in problems:
        print(each)
    print(f"{len(frozen)} types of protocol 1, {len(CHANGES)} changes, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
