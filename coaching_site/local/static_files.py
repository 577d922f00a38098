"""Static files are collected only when one of them, or what packs them, has changed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from coaching_site.local.profile import ROOT

COLLECT = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"]
# Libraries bring files as well, and settings name who packs them.
PACKED_BY = ("requirements/run.txt", "coaching_site/settings.py")
STAMP = ".collected-from"


def collect(environment: dict[str, str], into: Path) -> int:
    """Collect the static files unless `into` holds just these; returns the command's exit code."""
    stamp, sources = into / STAMP, fingerprint(ROOT)
    if stamp.is_file() and stamp.read_text() == sources:
        return 0
    done = subprocess.run(COLLECT, cwd=ROOT, env=environment, check=False)
    if done.returncode == 0:
        stamp.write_text(sources)
    return done.returncode


def fingerprint(root: Path) -> str:
    """SHA-256 of the names and bytes of all sources below `root`."""
    digest = hashlib.sha256()
    files = (path for path in (root / "static").rglob("*") if path.is_file())
    for path in sorted([*files, *(root / name for name in PACKED_BY)]):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
