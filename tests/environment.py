"""The tests' own environment: a throw-away Postgres and settings for this machine.

Loaded by pytest before Django's settings (`-p tests.environment`). With DATABASE_URL set, that
server is used instead. Workers of a parallel run inherit what the first process set up.
"""

from __future__ import annotations

import atexit
import os
from pathlib import Path

from coaching_site.local import static_files
from coaching_site.local.postgres import Cluster

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".data" / "test"

DEFAULTS = {
    "SITE_PROFILE": "test",
    "SITE_URL": "http://localhost:8000",
    "SECRET_KEY": "only-for-tests-" * 3,
    "LINK_KEY": "only-for-links-in-tests-" * 2,
    "MAIL_FROM": "Praxis <post@praxis.example>",
    "COACH_EMAIL": "coach@praxis.example",
    "DATA_FOLDER": str(FOLDER / "files"),
    # Those that read a mailbox start a server and point to it.
    "INBOX_URL": "",
    "INBOX_ADDRESS": "",
    "ANYMAIL_WEBHOOK_SECRET": "",
    "ANYMAIL_MAILGUN_SIGNING_KEY": "",
    # No test talks to Stripe; those that pay start a stand-in and point to it.
    "STRIPE_SECRET_KEY": "",
    "STRIPE_WEBHOOK_SECRET": "",
    "BACKUP_RECIPIENTS": "",
    "BACKUP_FOLDER": "",
    "BACKUP_COPY_URL": "",
}


def prepare() -> None:
    for name, value in DEFAULTS.items():
        os.environ[name] = value
    if "DATABASE_URL" not in os.environ:
        # What these tests prove about crashes is that the process dies, not the machine.
        cluster = Cluster(FOLDER / "postgres", {"fsync": "off", "max_connections": "700"})
        cluster.start()
        atexit.register(cluster.stop)
        os.environ["DATABASE_URL"] = cluster.create_database("tests")
    if "PYTEST_XDIST_WORKER" not in os.environ:
        # Pages name their files by the hashes in the collected manifest.
        collected = static_files.collect(dict(os.environ), FOLDER / "files" / "static_collected")
        assert collected == 0, "collectstatic failed; the reason stands above"


prepare()
