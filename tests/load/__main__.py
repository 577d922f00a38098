"""`python -m tests.load [day [SECONDS]] | scale`: measures and writes docs/scale.md and docs/load.svg."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from tests.load import page


def main(part: str = "day", seconds: str = "") -> None:
    importlib.import_module("tests.bench.base")  # starts Postgres, and Django on it
    measuring: Any = importlib.import_module(f"tests.load.{part}")
    block = measuring.run(**({"seconds": float(seconds)} if seconds else {}))
    sys.stdout.write(block)
    page.write_block(part, block)


if __name__ == "__main__":
    main(*sys.argv[1:])
