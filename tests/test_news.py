"""The line by which a process hears of changes."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.environment import ROOT

HEARS = """
import time, django
django.setup()
from coaching_site import news
deadline = time.monotonic() + 20
while news.edition() is None and time.monotonic() < deadline:
    time.sleep(0.05)
print(news.edition() is not None)
"""


def test_a_process_hears_of_changes_before_it_ever_asked_the_database():
    environment = {**os.environ, "SITE_PROFILE": "local"}
    asked = subprocess.run(
        [sys.executable, "-c", HEARS],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )

    assert (asked.stdout.split(), asked.stderr) == (["True"], "")
