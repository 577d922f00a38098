"""Three hosts on one Postgres, started once for all tests of this folder, and where figures go."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.faults.hosts import site
from tests.faults.hosts.site import Hosts
from tests.running_site import ROOT

SOAK = os.environ.get("SOAK") is not None
FIGURES = ROOT / ".data" / "soak" / "hosts.md"


@pytest.fixture(scope="package")
def running_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    folder: Path = tmp_path_factory.mktemp("hosts")
    with site.running(folder) as hosts:
        yield hosts


@pytest.fixture
def hosts(running_hosts: Hosts, django_db_blocker) -> Iterator[Hosts]:
    """All are well, the mailbox is empty, and the test may ask the hosts' database."""
    running_hosts.settle()
    running_hosts.empty_the_mailbox()
    running_hosts.stripe.faults.clear()
    with django_db_blocker.unblock():
        yield running_hosts
    for host in running_hosts.hosts:
        host.set_clock(0)
    running_hosts.mail_gate.open()
    running_hosts.empty_the_mailbox()


@pytest.fixture
def random() -> Random:
    return Random(int(os.environ.get("SOAK_SEED", "1")))


@pytest.fixture(scope="package")
def figures() -> Iterator[Callable[[str], None]]:
    """Notes a line of figures; a long run leaves them in .data/soak/hosts.md."""
    lines: list[str] = []
    yield lines.append
    if SOAK:
        FIGURES.parent.mkdir(parents=True, exist_ok=True)
        FIGURES.write_text("".join(f"{line}\n" for line in lines))
