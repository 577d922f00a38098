"""`python -m coaching_site.local run` serves the whole site; `… manage <command>` runs one command.

Both use the embedded Postgres under `.data/` unless DATABASE_URL names a server.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from coaching_site.local import supervisor
from coaching_site.local.postgres import PostgresError
from coaching_site.local.profile import Profile

USAGE = "usage: python -m coaching_site.local run | manage COMMAND …"


def main(arguments: list[str]) -> int:
    commands: dict[str, Callable[[list[str]], int]] = {"run": run, "manage": manage}
    command = commands.get(arguments[0]) if arguments else None
    if command is None:
        sys.stderr.write(f"{USAGE}\n")
        return 2
    try:
        return command(arguments[1:])
    except (PostgresError, supervisor.CannotServe) as error:
        sys.stderr.write(f"\n{error}\n")
        return 1


def run(arguments: list[str]) -> int:
    """Start everything, say where it is, and stay until Ctrl-C."""
    del arguments
    with Profile.open() as profile:
        return supervisor.serve(profile)


def manage(arguments: list[str]) -> int:
    """Run one management command with the local profile; joins a running site's database."""
    with Profile.open(may_join=True) as profile:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments], env=profile.environment, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
