"""What the Dockerfile builds, built and run here by its own steps: without a container engine, but with
what an engine would take away. Debian's packages, the user and the mounts are the engine's."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.environment import DEFAULTS
from tests.running_site import ROOT, free_port, new_database

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
BUILD, RUN = DOCKERFILE.split("\nFROM ")[-2:]
ENV = r"^ENV .*(?:\\\n.*)*"
# As `cap_drop: ALL` and `no-new-privileges` do: even root can write nowhere it is not allowed to.
WITHOUT_POWERS = ["setpriv", "--bounding-set=-all", "--no-new-privs"]
INSTALLED = """
from importlib.metadata import distributions
for each in distributions():
    print(each.metadata["Name"].lower().replace("_", "-").replace(".", "-"))
"""

pytestmark = pytest.mark.xdist_group("faults")


@dataclass
class Image:
    """The site and its environment as in the image; only `data` may be written."""

    site: Path
    venv: Path
    data: Path
    database_url: str
    port: int

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        powerless = os.geteuid() == 0 and shutil.which("setpriv")
        return subprocess.Popen(
            [*(WITHOUT_POWERS if powerless else []), *command],
            cwd=self.site,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: list[str]) -> str:
        process = self.start(command)
        told, _ = process.communicate(timeout=120)
        assert process.returncode == 0, told
        return told

    @property
    def environment(self) -> dict[str, str]:
        """As compose sets it: the image's own, `.env`, and the database."""
        lines = (ROOT / ".ci" / "production.env").read_text().splitlines()
        set_here = dict(
            shlex.split(line)[0].split("=", 1) for line in lines if line and line[0] != "#"
        )
        return {
            **set_here,
            **dict(re.findall(r"\b([A-Z_]+)=(\S+)", "".join(re.findall(ENV, RUN, re.M)))),
            "PATH": f"{self.venv / 'bin'}:{os.environ['PATH']}",
            "DATA_FOLDER": str(self.data),
            "BIND_HOST": "127.0.0.1",
            "PORT": str(self.port),
            "DATABASE_URL": self.database_url,
        }


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Iterator[Image]:
    root = tmp_path_factory.mktemp("image")
    database_url = new_database("image")
    made = Image(root / "site", root / "venv", root / "data", database_url, free_port())
    made.data.mkdir()
    for line in BUILD.splitlines():
        word, _, rest = line.partition(" ")
        if word == "COPY":
            _copy(*rest.split(), into=made.site)
        elif word == "RUN":
            command = [str(made.venv) if part == "/venv" else part for part in rest.split()]
            outside = {name: os.environ[name] for name in os.environ if name not in DEFAULTS}
            environment = {**outside, "PYTHON": sys.executable}
            subprocess.run(command, cwd=made.site, env=environment, check=True)
    subprocess.run(["chmod", "-R", "a-w", made.site, made.venv], check=True)
    yield made
    subprocess.run(["chmod", "-R", "u+w", made.site, made.venv], check=True)


def _copy(source: str, target: str, *, into: Path) -> None:
    """As COPY does, with what .dockerignore keeps out."""
    (into / target).parent.mkdir(parents=True, exist_ok=True)
    if (ROOT / source).is_dir():
        ignored = shutil.ignore_patterns("__pycache__", "local")
        shutil.copytree(ROOT / source, into / target, ignore=ignored)
    else:
        shutil.copy(ROOT / source, into / target)


def test_the_image_holds_what_the_site_runs_with_and_no_more(image):
    names = set(image.run(["python", "-c", INSTALLED]).split())
    locked = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / "run.txt").read_text(), re.M)

    assert names - {"pip", "setuptools"} <= set(locked)
    assert not (image.site / "tests").exists()
    # What the next test says of writing is true: it is refused here.
    image.run(["sh", "-c", "! touch here && ! touch booking/here && touch $DATA_FOLDER/here"])


def test_it_serves_and_works_with_nothing_to_write_but_its_data(image):
    before = _files(image)
    web_command = re.search(r"^CMD \[(.*)\]", RUN, re.M)
    health_command = re.search(r"CMD \[(.*)\]\nCMD", RUN)
    assert web_command is not None
    assert health_command is not None
    web, health = (re.findall(r'"([^"]+)"', found[1]) for found in (web_command, health_command))

    image.run(["python", "manage.py", "prepare_database"])
    running = [
        image.start(web),
        image.start(["python", "manage.py", "procrastinate", "worker"]),
    ]
    try:
        image.run([*health, "--ready", "--wait", "60"])
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        told = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], told
    assert _files(image) == before


def _files(image: Image) -> set[Path]:
    return {*image.site.rglob("*"), *image.venv.rglob("*")}
