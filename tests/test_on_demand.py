"""What few processes need is read into memory by those that do."""

from __future__ import annotations

import subprocess
import sys

from coaching_site import on_demand
from tests.environment import ROOT

HEAVY = ("fpdf", "fontTools", "holidays", "paramiko", "stripe")
STARTED = """
import sys, django
django.setup()
import coaching_site.urls
print(*sorted(sys.modules.keys() & set(sys.argv[1:])))
"""


def test_a_module_is_the_one_it_stands_for():
    assert on_demand.Module("html").escape("<") == "&lt;"


def test_heavy_libraries_wait_until_they_are_needed():
    command = [sys.executable, "-c", STARTED, *HEAVY]
    started = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)

    assert started.stdout.split() == []
