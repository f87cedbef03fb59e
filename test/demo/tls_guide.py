#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes certificates by the commands in docs/guide/remote.md, and runs the demo of TLS with them.

Usage: tls_guide.py PROGRAM EXPECTED
"""

import pathlib
import re
import subprocess
import sys
import tempfile

import run

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def main(program, expected_file):
    guide = (ROOT / "docs/guide/remote.md").read_text()
    blocks = [block for block in re.findall(r"^```sh\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
              if "openssl req" in block]
    if len(blocks) != 1:
        return "the guide makes certificates in no block of sh, or in several"
    if blocks[0].strip() not in (ROOT / "demos/remote/35_tls.cpp").read_text():
        return "the demo makes its certificates by other commands than the guide"
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run(["sh", "-e"], input=blocks[0], cwd=folder, capture_output=True, text=True)
        if made.returncode != 0:
            return f"the commands of the guide fail\n{made.stderr}"
        return run.main(program, expected_file, folder)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
