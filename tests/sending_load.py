"""One sender in a process of its own, measured: `python -m tests.sending_load WAY MOST` prints JSON.

WAY is `lanes` (as in the worker), `smtplib` (ready bytes, nothing else) or `django` (a message built
for each). DATABASE_URL and EMAIL_* say what is sent where; MOST is how many mails at most.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import smtplib
import sys
import threading
import time
from typing import Any

import django
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import connection
from django.utils import timezone

from tests.bench import measure


def main(way: str, most: int) -> dict[str, float]:
    os.environ["DJANGO_SETTINGS_MODULE"] = "coaching_site.settings"
    django.setup()
    send = {"lanes": by_lanes, "smtplib": by_smtplib, "django": by_django}[way]
    before, begun = _cpu(), time.perf_counter()
    sent = send(most)
    seconds = time.perf_counter() - begun
    return {
        "sent": sent,
        "cpu_ms": (_cpu() - before) * 1000 / sent,
        "seconds": seconds,
        "peak_mb": measure.peak_megabytes(),
    }


def by_lanes(most: int) -> int:
    """Both lanes at once, as two jobs of a worker; the last slice may send some more."""
    lanes: Any = importlib.import_module("newsletter.sending.lanes")
    models: Any = importlib.import_module("newsletter.models")
    rows = models.Delivery.objects.filter(state="sent")
    over = threading.Event()

    def work(lane: int) -> None:
        while not over.is_set() and lanes.work(lane) is not None:
            pass
        connection.close()

    threads = [threading.Thread(target=work, args=(lane,)) for lane in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        threads[0].join(0.5)
        if rows.count() >= most:
            over.set()
    for thread in threads:
        thread.join()
    return int(rows.count())


def by_smtplib(most: int) -> int:
    mould, recipients = _letters(most)
    mail = mould.cast(recipients[0], now=timezone.now())
    with smtplib.SMTP(settings.EMAIL_HOST, settings.EMAIL_PORT) as smtp:
        for recipient in recipients:
            smtp.sendmail(mail.sender, [recipient.mailbox], mail.data)
    return len(recipients)


def by_django(most: int) -> int:
    placeholders: Any = importlib.import_module("newsletter.rendering.placeholders")
    models: Any = importlib.import_module("newsletter.models")
    edition = models.Edition.objects.get()
    _, recipients = _letters(most)
    with get_connection() as backend:
        for recipient in recipients:
            values = placeholders.values_of(recipient.name)
            message = EmailMultiAlternatives(
                edition.subject,
                placeholders.fill(edition.text, values),
                to=[recipient.mailbox],
                connection=backend,
            )
            message.attach_alternative(placeholders.fill(edition.html, values), "text/html")
            message.send()
    return len(recipients)


def _letters(most: int) -> tuple[Any, list[Any]]:
    models: Any = importlib.import_module("newsletter.models")
    mould: Any = importlib.import_module("newsletter.rendering.mould")
    edition = models.Edition.objects.get()
    cast = mould.Mould(
        issue=edition.issue_id, subject=edition.subject, html=edition.html, text=edition.text
    )
    people = models.Subscriber.objects.order_by("pk")[:most]
    return cast, [
        mould.Recipient(row.pk, row.public_id, 1, row.mailbox, row.name) for row in people
    ]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], int(sys.argv[2]))) + "\n")
