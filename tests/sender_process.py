"""A sender in a process of its own, to be killed: `python -m tests.sender_process [CARELESS]`.

Works on both lanes until nothing is left to send. DATABASE_URL and EMAIL_* say where; `careless`
marks mails after they were sent instead of before, which the fault tests must notice.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from typing import Any

import django


def main(careless: bool) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "coaching_site.settings"
    django.setup()
    lanes: Any = importlib.import_module("newsletter.sending.lanes")
    if careless:
        begin_without_writing()
    threads = [
        threading.Thread(target=until_done, args=(lanes, lane), daemon=True) for lane in range(2)
    ]
    for thread in threads:
        thread.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for thread in threads:
        thread.join()


def until_done(lanes: Any, lane: int) -> None:
    models: Any = importlib.import_module("newsletter.models")
    while True:
        lanes.work(lane)
        running = lanes.patiently(lambda: models.Issue.objects.filter(status="sending").exists())
        if not running:
            return
        time.sleep(0.05)


def begin_without_writing() -> None:
    """What goes wrong when „in flight“ is only written with the result: a crash sends again."""
    ledger: Any = importlib.import_module("newsletter.sending.ledger")
    django_db: Any = importlib.import_module("django.db")
    right = ledger.step

    def step(*, sender: Any, settle: Any, begin: Any, now: Any) -> Any:
        with django_db.transaction.atomic():
            pks = [each.delivery for each in settle]
            right(sender=sender, settle=[], begin=pks, now=now)
            right(sender=sender, settle=settle, begin=[], now=now)
        with django_db.transaction.atomic():
            begun = right(sender=sender, settle=[], begin=begin, now=now)
            django_db.transaction.set_rollback(True)
        return begun

    ledger.step = step


if __name__ == "__main__":
    main("careless" in sys.argv[1:])
