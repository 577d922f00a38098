"""`python -m tests.bench [PART …] [--long] [--write]`: measures and prints Markdown tables.

Without a PART all are measured, which takes about ten minutes; `--long` adds lists of a million.
`--write` puts what was printed into the README.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.bench import base, machine, readme  # noqa: F401  (base comes first: it starts Django)
from tests.bench.measure import overview
from tests.bench.parts import LONG_PARTS, PARTS


def main() -> None:
    told = _arguments()
    parts = LONG_PARTS if told.long else PARTS
    measured = {}
    for name in [name for name in parts if name in (told.parts or parts)]:
        begun = time.monotonic()
        measured[name] = parts[name]()
        sys.stderr.write(f"{name}: {time.monotonic() - begun:.0f} s\n")
    if told.parts:
        pairs = [pair for part in measured.values() for pair in part.pairs]
        texts = [part.text for part in measured.values() if part.text]
        sys.stdout.write("\n".join([*([overview(pairs)] if pairs else []), *texts]))
        return
    block = readme.figures(measured, machine.facts())
    sys.stdout.write(f"{block}\n")
    if told.write:
        readme.write(block)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--long", action="store_true", help="lists of a million as well")
    parser.add_argument("--write", action="store_true", help="into the README, if all is measured")
    told = parser.parse_args()
    if unknown := set(told.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return told


main()
