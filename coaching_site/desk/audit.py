"""Who changed what in the admin (DSGVO Art. 5 (2), 32).

Django's own LogEntry is not this log: it knows forms alone and neither actions nor buttons, no
values, repeats what a row was called (often a name), and goes with its user. Here the database
itself writes down every change of the watched tables while somebody of the desk is at work,
whichever code makes it; rows cannot be changed afterwards. LogEntry stays for Django's list of
recent doings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time

from django.apps import apps
from django.db import connection
from django.db.models import Model, Q
from django.utils import timezone

from coaching_site import german, periods
from coaching_site.append_only import erasing
from coaching_site.desk.models import Change

# How the database writes a moment, a day and a time of day down (ISO 8601).
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+[+-]\d\d:\d\d")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
CLOCK = re.compile(r"\d\d:\d\d:\d\d")

# Per table the columns of which only „geändert“ is kept: secrets, long texts, what is personal.
# The triggers in the migrations say the same; a test compares.
WATCHED: dict[str, tuple[str, ...]] = {
    "auth_user": ("password",),
    "pages_practice": ("iban", "tax_number", "biography", "call_story"),
    "pages_legaltext": ("source", "text"),
    "pages_mailwording": (),
    "pages_testimonial": (
        "text",
        "shown_as",
        "shown_role",
        "person",
        "email",
        "consent_text",
    ),
    "booking_calendar": ("feed_secret", "feed_etag"),
    "booking_weeklyhours": (),
    "booking_dateoverride": ("note",),
    "booking_block": ("note",),
    "booking_calltype": ("secret", "description", "preparation"),
    "booking_question": (),
    "booking_oneofflink": ("secret", "note"),
    "booking_busyfeed": ("url", "etag", "last_modified", "last_error", "warnings"),
    "booking_booking": (
        "name",
        "email",
        "company",
        "phone",
        "topic",
        "answers",
        "overridden",
        "cancellation_note",
        "followup_consent_text",
        "newsletter_consent_text",
        "network",
        "form_token",
    ),
    "booking_billingaddress": (
        "name",
        "company",
        "street",
        "postal_code",
        "city",
        "country",
        "vat_id",
    ),
    "booking_deposit": ("request", "session_url"),
    "booking_refund": (),
    "booking_alarm": ("detail",),
    "booking_invoice": ("data", "pdf", "recipient"),
    "booking_invoicepayment": (),
    "newsletter_pace": (),
    "newsletter_issue": ("body", "preheader"),
    "newsletter_subscriber": ("address", "address_key", "name"),
    "newsletter_suppression": ("address_hash",),
    "desk_personrequest": ("address", "address_hash", "in_the_way"),
    "desk_personnote": ("address_key", "text"),
    "desk_recoverycodes": ("digests",),
    # Asked for; what the worker then makes of it is nobody's deed.
    "desk_longwork": ("rows",),
    # Set up and removed; each sign-in changes it, which is nobody's deed.
    "otp_totp_totpdevice": ("key",),
}
# What a thing's history tells as well: by table, and how its rows lead to the thing.
PARTS: dict[str, dict[str, str]] = {
    "booking_booking": {
        "booking_billingaddress": "booking",
        "booking_deposit": "booking",
        "booking_refund": "deposit__booking",
        "booking_invoice": "booking",
        "booking_alarm": "deposit__booking",
    },
    "booking_calendar": {"booking_weeklyhours": "calendar", "booking_dateoverride": "calendar"},
    "booking_calltype": {"booking_question": "call_type"},
    "booking_invoice": {"booking_invoicepayment": "invoice"},
}
MONEY = ("booking_deposit", "booking_refund", "booking_invoice", "booking_alarm")
# How columns with sums are called, wherever they are.
OF_MONEY = "_cents"
# What is named in English by others.
CALLED = {"otp_totp_totpdevice": "Zwei-Faktor-App"}


@contextmanager
def by(who: str) -> Iterator[None]:
    """What this block changes in watched tables was changed by `who`, a name of the desk."""
    _set(who)
    try:
        yield
    finally:
        if not connection.needs_rollback:  # then the rollback takes it back as well
            _set("")


def of(row: Model, *, with_money: bool = True) -> list[Change]:
    """What was changed of one row and of what is a part of it, the newest first."""
    rows = Q(table=row._meta.db_table, row=row.pk)
    for table, way in PARTS.get(row._meta.db_table, {}).items():
        if with_money or table not in MONEY:
            part = model_of(table)
            assert part is not None
            rows |= Q(table=table, row__in=part._default_manager.filter(**{way: row}).values("pk"))
    return list(Change.objects.filter(rows))


def told(change: Change, *, with_money: bool = True) -> list[str]:
    """„Preis in Cent: 100 → 200“, „Name: geändert“; sums are not for everybody."""
    words = []
    names = _names(change.table)
    for column, values in change.fields.items():
        if column.endswith(OF_MONEY) and not with_money:
            continue
        said = str(values)
        if isinstance(values, list):
            before, after = values
            said = f"{_word(before)} → {_word(after)}"
        words.append(f"{names.get(column, column)}: {said}")
    return sorted(words)


def model_of(table: str) -> type[Model] | None:
    return next((model for model in apps.get_models() if model._meta.db_table == table), None)


def called(model: type[Model]) -> str:
    return CALLED.get(model._meta.db_table) or str(model._meta.verbose_name)


def forget(*, now: datetime) -> int:
    """Delete changes that are older than their period; returns how many."""
    with erasing():
        old = Change.objects.filter(at__lt=periods.CHANGES.first_kept(now))
        deleted, _ = old.delete()
    return deleted


def _names(table: str) -> dict[str, str]:
    model = model_of(table)
    if model is None:
        return {}
    return {
        field.column: str(field.verbose_name)
        for field in model._meta.concrete_fields
        if field.column
    }


def _word(value: object) -> str:
    match value:
        case None | "":
            return "–"
        case True:
            return "ja"
        case False:
            return "nein"
        case str() if MOMENT.fullmatch(value):
            zone = timezone.get_default_timezone()
            return german.short_when(datetime.fromisoformat(value), zone)
        case str() if DAY.fullmatch(value):
            return german.short_date(date.fromisoformat(value))
        case str() if CLOCK.fullmatch(value):
            return german.wall_clock(time.fromisoformat(value))
        case _:
            return str(value)


def _set(who: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.actor', %s, false)", [who])
