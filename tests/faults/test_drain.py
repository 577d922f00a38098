"""A worker that is replaced while mails wait: what it has begun it ends, the rest is the next one's."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.newsletter.conftest import sign_up
from tests.running_site import ROOT, wait_until

MAILS = 12


@pytest.fixture
def start_worker(
    transactional_db, smtp, tmp_path: Path
) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
    _, host, port = smtp
    name = connection.settings_dict["NAME"]
    environment = {
        **os.environ,
        "DATABASE_URL": re.sub(r"/[^/]*$", f"/{name}", os.environ["DATABASE_URL"]),
        "DATA_FOLDER": str(tmp_path),
        "EMAIL_HOST": host,
        "EMAIL_PORT": str(port),
        "EMAIL_SECURITY": "none",
    }

    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "manage.py", "procrastinate", "worker"]
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_worker_that_is_replaced_leaves_no_mail_half_sent(start_worker, mailbox):
    mailbox.answer_after = 0.3
    for number in range(MAILS):
        sign_up(f"leser{number}@leser.example", timezone.now())
    waiting = ProcrastinateJob.objects.filter(task_name="newsletter.answer_sign_up")

    first = start_worker()
    wait_until(lambda: len(mailbox.messages) > 0)
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=60) == 0
    left = waiting.filter(status="todo").count()
    assert not waiting.filter(status="doing").exists()
    assert 0 < left < MAILS
    assert len(mailbox.messages) == MAILS - left

    second = start_worker()
    wait_until(lambda: not waiting.filter(status__in=("todo", "doing")).exists())
    second.send_signal(signal.SIGTERM)
    assert second.wait(timeout=60) == 0
    assert sorted(mail["X-Envelope-To"] for mail in mailbox.messages) == sorted(
        f"leser{number}@leser.example" for number in range(MAILS)
    )
