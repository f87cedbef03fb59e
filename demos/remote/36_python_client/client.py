#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Asks an actor of a node. Needs pycapnp, from the registry of Python.

Usage: client.py HOST:PORT
"""

import asyncio
import pathlib
import sys

import capnp

root = pathlib.Path(__file__).resolve().parents[3]
imports = [str(root / "schemas"), str(pathlib.Path(capnp.__file__).parents[1])]  # costar's, and pycapnp's
directory = capnp.load(str(root / "schemas/costar/directory.capnp"), imports=imports)
values = capnp.load(str(root / "schemas/costar/values.capnp"), imports=imports)
demo = capnp.load(str(root / "demos/remote/hello.capnp"), imports=imports)


async def main(address):
    host, port = address.rsplit(":", 1)
    stream = await capnp.AsyncIoStream.create_connection(host=host, port=int(port))
    node = capnp.TwoPartyClient(stream).bootstrap().cast_as(directory.Directory)
    actor = node.actor("host").actor
    for name in ("alice", "bob"):
        answer = await actor.ask(
            type=demo.Hello.schema.node.id, body=demo.Hello.new_message(name=name).to_bytes(),
            remaining=1_000_000_000)
        with values.Letters.from_bytes(answer.body) as text:
            print(f'python: the host says "{text.value}"')
    answer = await node.actor("nobody").actor.ask()
    print("python: and nobody says", answer.failure)


asyncio.run(capnp.run(main(sys.argv[1])))
