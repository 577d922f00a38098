"""What stands in `deploy/` and `compose.yaml`, as far as it can be tried without a container engine."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings as site

from coaching_site import gunicorn

ROOT = Path(__file__).resolve().parent.parent
OWN = ("web", "worker", "migrate")

# Writes down what it is told, and fails once at what its test names.
STAND_IN = """#!/bin/sh
echo "$*" >> "$TOLD"
case "$*" in
  *"$FAILS"*) [ -n "$FAILS" ] && [ ! -e "$TOLD.failed" ] && { [ "$ALWAYS" ] || touch "$TOLD.failed"; exit 1; } ;;
esac
exit 0
"""


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    return found["services"]


# --- compose.yaml ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", OWN)
def test_the_site_can_write_nowhere_but_where_its_files_are(name):
    service = services()[name]

    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["volumes"] == ["files:/data"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_only_the_proxy_can_be_reached_from_outside():
    assert [name for name, service in services().items() if "ports" in service] == ["proxy"]


def test_nobody_is_killed_before_they_have_finished():
    grace = {name: service.get("stop_grace_period", "10s") for name, service in services().items()}
    drains: Any = site.PROCRASTINATE_WORKER_DEFAULTS

    assert int(grace["web"].rstrip("s")) > gunicorn.graceful_timeout
    assert int(grace["worker"].rstrip("s")) > drains["shutdown_graceful_timeout"]


def test_what_compose_asks_for_stands_among_the_settings():
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text("utf-8")))
    explained = (ROOT / ".env.example").read_text("utf-8")

    assert asked
    assert [name for name in asked if f"{name}=" not in explained] == []


def test_the_proxy_gives_each_request_a_word_of_its_own_and_names_nobody():
    caddyfile = (ROOT / "deploy" / "Caddyfile").read_text("utf-8")

    assert "header_up X-Request-ID {http.request.uuid}" in caddyfile
    assert "request delete" in caddyfile
    assert "encode" not in caddyfile, "the site packs what it sends"


# --- deploy/secrets -------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder like the one on the server, without an .env."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    shutil.copy(ROOT / ".env.example", tmp_path)
    return tmp_path


def run(checkout: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "deploy" / script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def keys_in(env: Path) -> list[str]:
    return re.findall(
        r"^(?:SECRET_KEY|LINK_KEY|POSTGRES_PASSWORD)=([\w-]{64})$", env.read_text(), re.M
    )


def test_secrets_are_fresh_and_for_the_operators_eyes_alone(checkout):
    done = run(checkout, "secrets")

    env = checkout / ".env"
    assert done.returncode == 0, done.stderr
    assert len(set(keys_in(env))) == 3
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert not any(key in done.stdout for key in keys_in(env))


def test_secrets_that_are_there_are_never_overwritten(checkout):
    (checkout / ".env").write_text("LINK_KEY=old\n")

    done = run(checkout, "secrets")

    assert done.returncode == 1
    assert "stays as it is" in done.stderr
    assert (checkout / ".env").read_text() == "LINK_KEY=old\n"
    assert sorted(path.name for path in checkout.iterdir()) == [".env", ".env.example", "deploy"]


# --- deploy/upgrade -------------------------------------------------------------------------

BACKUP = "compose exec -T web python manage.py backup"
KEEP = "tag coaching-site:current coaching-site:previous"
BUILD = "compose build --pull web"
DRAIN = "compose stop worker"
MIGRATE = "compose run --rm --no-deps -T migrate"
START = "compose up --detach --no-build --no-deps --force-recreate web worker"
READY = "compose exec -T web python manage.py healthcheck --ready --wait 120"
PROXY = "compose up --detach --no-build --no-deps proxy"
BACK = "tag coaching-site:previous coaching-site:current"


@pytest.fixture
def upgrade(checkout: Path) -> Callable[..., tuple[int, list[str], str]]:
    """Upgrades with a stand-in for docker that fails at this: exit code, what it was told, what was said."""
    programs = checkout / "programs"
    programs.mkdir()
    (programs / "docker").write_text(STAND_IN)
    (programs / "docker").chmod(0o755)
    told = checkout / "told"

    def run_it(fails: str = "", **environment: str) -> tuple[int, list[str], str]:
        done = run(
            checkout,
            "upgrade",
            PATH=f"{programs}:{os.environ['PATH']}",
            TOLD=str(told),
            FAILS=fails,
            **{"ALWAYS": "", **environment},
        )
        assert done.stderr == ""
        return done.returncode, told.read_text().splitlines()[1:], done.stdout

    return run_it


def test_an_upgrade_backs_up_before_it_changes_anything(upgrade):
    code, told, said = upgrade()

    assert told == [BACKUP, KEEP, BUILD, DRAIN, MIGRATE, START, READY, PROXY]
    assert (code, "done" in said) == (0, True)


@pytest.mark.parametrize("step", [DRAIN, MIGRATE, START, READY])
def test_an_upgrade_that_fails_runs_the_image_from_before(upgrade, step):
    code, told, said = upgrade(fails=step)

    assert code == 1
    assert told[told.index(step) + 1 :] == [BACK, START, READY]
    assert "The site runs as before." in said


def test_without_a_backup_nothing_is_changed(upgrade):
    code, told, said = upgrade(fails=BACKUP)

    assert (code, told) == (1, [BACKUP])
    assert "nothing was changed" in said


def test_who_wants_no_backup_must_say_so(upgrade):
    code, told, _ = upgrade(WITHOUT_BACKUP="1")

    assert (code, told[0]) == (0, KEEP)


def test_what_cannot_be_built_leaves_the_site_running(upgrade):
    code, told, _ = upgrade(fails=BUILD)

    assert (code, told) == (1, [BACKUP, KEEP, BUILD, BACK])


def test_nobody_is_told_that_all_is_well_when_going_back_fails_too(upgrade):
    code, told, said = upgrade(fails=READY, ALWAYS="yes")

    assert (code, told[-3:]) == (1, [BACK, START, READY])
    assert "The site does not run." in said


def test_where_nothing_runs_there_is_nothing_to_upgrade(upgrade):
    code, told, said = upgrade(fails="image inspect")

    assert (code, told) == (1, [])
    assert "docker compose up" in said
