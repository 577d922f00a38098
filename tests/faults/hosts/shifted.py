"""A program whose clock is off: `python -m tests.faults.hosts.shifted FILE MODULE …`.

FILE says by how many seconds, and is read each time somebody asks for the time. Only the wall clock
is moved: what is measured with `time.monotonic` goes on, as when NTP steps or a machine was asleep.
"""

from __future__ import annotations

import runpy
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any


def begin(file: Path) -> None:
    """Move the clock of this process, before anything has taken a copy of it."""

    def seconds() -> float:
        return float(file.read_text() or 0)

    right: Callable[[], float] = time.time
    time.time = lambda: right() + seconds()

    # Only now: this module must find the moved clock.
    timezone: Any = __import__("django.utils.timezone", fromlist=["now"])
    right_now: Callable[[], datetime] = timezone.now
    timezone.now = lambda: right_now() + timedelta(seconds=seconds())


if __name__ == "__main__":
    begin(Path(sys.argv[1]))
    module, sys.argv = sys.argv[2], sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
