"""Mails that belong to no app alone."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from coaching_site import links, mail
from coaching_site.desk.models import PersonLink, PersonRequest
from newsletter import addresses


def send_person_link(link: PersonLink, *, token: str) -> None:
    """Send somebody the link to all that is stored about them."""
    mail.send(
        "desk/mail/person_link",
        to=addresses.parse(link.address).mailbox,
        context={
            "link": links.absolute(reverse("people:own", args=[token])),
            "expires_at": link.expires_at,
        },
        key=f"desk.person_link:{link.pk}",
    )


def send_test(*, now: datetime) -> None:
    """To the coach: that mail leaves the house. Raises what `coaching_site.mail.send` raises."""
    mail.send(
        "desk/mail/test",
        to=settings.COACH_EMAIL,
        context={"sent_at": now},
        key=f"desk.test:{now.isoformat()}",
    )


def send_backup_failed(reason: str, *, newest: str) -> None:
    """To the coach: there was no backup this night, and what to do. `newest` is the last one, or empty."""
    mail.send(
        "desk/mail/backup_failed",
        to=settings.COACH_EMAIL,
        context={"reason": reason, "newest": newest},
        key=f"desk.backup_failed:{newest}",
    )


def send_backup_copy_failed(reason: str, *, newest: str) -> None:
    """To the coach: no newer backup than that is on the other host. `newest` may be empty."""
    mail.send(
        "desk/mail/backup_copy_failed",
        to=settings.COACH_EMAIL,
        context={"reason": reason, "newest": newest},
        key=f"desk.backup_copy_failed:{newest}",
    )


def send_disk_full(reason: str, *, holds: str) -> None:
    """To the coach: which disk is nearly full, by what lies on it."""
    mail.send(
        "desk/mail/disk_full",
        to=settings.COACH_EMAIL,
        context={"reason": reason},
        key=f"desk.disk_full:{holds}",
    )


def send_jobs_failed(numbers: list[int], *, tasks: list[str]) -> None:
    """To the coach: which jobs were given up, by number and name."""
    mail.send(
        "desk/mail/jobs_failed",
        to=settings.COACH_EMAIL,
        context={"numbers": [str(number) for number in numbers], "tasks": tasks},
        key=f"desk.jobs_failed:{numbers[-1]}",
    )


def send_jobs_overdue(*, now: datetime) -> None:
    """To the coach: jobs wait that should long have begun."""
    mail.send(
        "desk/mail/jobs_overdue",
        to=settings.COACH_EMAIL,
        context={},
        key=f"desk.jobs_overdue:{now.isoformat()}",
    )


def send_person_request_due_soon(request: PersonRequest) -> None:
    """To the coach: what somebody asked for must be done in a few days. It names nobody."""
    page = reverse("admin:desk_personrequest_change", args=[request.pk])
    mail.send(
        "desk/mail/person_request_due_soon",
        to=settings.COACH_EMAIL,
        context={
            "request": request,
            "zone": timezone.get_default_timezone(),
            "desk_url": links.absolute(page),
        },
        key=f"desk.person_request_due_soon:{request.pk}",
    )
