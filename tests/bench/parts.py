"""What can be measured, by name, in the order that suits the databases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from tests.bench import flows, holds, imports, memory, pages, sending
from tests.bench.measure import Part

# `kept` after all others that make pages: from then on this process hears of changes.
PARTS: Mapping[str, Callable[[], Part]] = {
    "month": pages.month,
    "latency": holds.latency,
    "throughput": holds.throughput,
    "flows": flows.flows,
    "kept": pages.kept,
    "imports": imports.imports,
    "sending": sending.sending,
    "memory": memory.memory,
}
# Lists of a million take minutes more.
LONG_PARTS: Mapping[str, Callable[[], Part]] = {
    **PARTS,
    "imports": partial(imports.imports, sizes=imports.LONG_SIZES),
    "sending": partial(sending.sending, frozen=sending.LONG_FROZEN),
}
