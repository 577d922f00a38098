"""`python -m tests.bench [month] [kept] [throughput] [latency] [imports] [sending]`: measures, prints Markdown tables."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.bench import holds, imports, memory, pages, scenes, sending

PARTS: dict[str, Callable[[], str]] = {
    "month": pages.month,
    "kept": pages.kept,
    "throughput": holds.throughput,
    "latency": holds.latency,
    "imports": imports.imports,
    "sending": sending.sending,
    "memory": memory.memory,
}
WITHOUT_SCENES = {"imports", "sending", "memory"}


def main() -> None:
    wanted = sys.argv[1:] or list(PARTS)
    if not WITHOUT_SCENES.issuperset(wanted):
        scenes.build()
    for name in wanted:
        sys.stdout.write(f"{PARTS[name]()}\n")
        sys.stdout.flush()


main()
