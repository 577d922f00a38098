"""`python -m tests.bench [month] [holds]`: builds the scenes, measures, prints Markdown tables."""

from __future__ import annotations

import sys

from tests.bench import pages, scenes

PARTS = {"month": pages.month}


def main() -> None:
    scenes.build()
    for name in sys.argv[1:] or PARTS:
        sys.stdout.write(f"{PARTS[name]()}\n")
        sys.stdout.flush()


main()
