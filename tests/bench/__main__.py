"""`python -m tests.bench [month] [throughput] [latency]`: builds the scenes, measures, prints Markdown tables."""

from __future__ import annotations

import sys

from tests.bench import holds, pages, scenes

PARTS = {"month": pages.month, "throughput": holds.throughput, "latency": holds.latency}


def main() -> None:
    scenes.build()
    for name in sys.argv[1:] or PARTS:
        sys.stdout.write(f"{PARTS[name]()}\n")
        sys.stdout.flush()


main()
