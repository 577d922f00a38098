"""The two roles of the desk, each a group of permissions, and the only place that says what they hold.

„Coach“ may do everything. „Assistenz“ keeps the calendar, looks after people and writes the
newsletter: no money, no data out of the house, no users, no legal texts, and nothing is sent to the
whole list. `manage.py roles` writes it down after every migration; what somebody changes of it by
hand is put right again.
"""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db import transaction

COACH, ASSISTANT = "Coach", "Assistenz"
EXPLAINED = {
    COACH: "alles",
    ASSISTANT: "Kalender, Termine, Menschen und Newsletter schreiben; kein Geld, keine Exporte, "
    "keine Benutzer, keine Rechtstexte, kein Versand an die Liste",
}

# The desk's own apps; the job queue and Django's inner tables are nobody's role.
APPS = ("auth", "booking", "desk", "newsletter", "otp_totp", "pages")
LOOK, ADD, CHANGE, DELETE = "view", "add", "change", "delete"
EVERY = (LOOK, ADD, CHANGE, DELETE)
# By app and model, what an Assistenz may do. Bookings are added by hand, moved and called off by
# those who may change them; what goes back of the money, the terms decide.
ASSISTANT_MAY: dict[str, dict[str, tuple[str, ...]]] = {
    "booking": {
        "booking": (LOOK, ADD, CHANGE),
        "notification": (LOOK,),
        "calendar": (LOOK, CHANGE),
        "weeklyhours": EVERY,
        "dateoverride": EVERY,
        "oneofflink": EVERY,
        "calltype": (LOOK,),
        "question": (LOOK,),
    },
    "newsletter": {
        "subscriber": (LOOK, CHANGE),
        "consent": (LOOK,),
        "event": (LOOK,),
        "delivery": (LOOK,),
        "feedback": (LOOK,),
        "suppression": (LOOK, ADD),
        "tag": (LOOK, ADD, CHANGE),
        "issue": EVERY,
        "picture": EVERY,
    },
    "desk": {"personnote": (LOOK, ADD, DELETE)},
}


class UnknownPermission(LookupError):
    """A role names what no table has: the table was renamed, or is not there yet."""


def keep() -> dict[str, int]:
    """Make both roles and give them exactly what stands here; returns how much each may do.

    Twice does no harm. Raises UnknownPermission.
    """
    held = {
        COACH: list(Permission.objects.filter(content_type__app_label__in=APPS)),
        ASSISTANT: _of_the_assistant(),
    }
    with transaction.atomic():
        for name, permissions in held.items():
            group, _ = Group.objects.get_or_create(name=name)
            group.permissions.set(permissions)
    return {name: len(permissions) for name, permissions in held.items()}


def _of_the_assistant() -> list[Permission]:
    wanted = {
        (app, f"{deed}_{model}")
        for app, models in ASSISTANT_MAY.items()
        for model, deeds in models.items()
        for deed in deeds
    }
    there = Permission.objects.filter(content_type__app_label__in=ASSISTANT_MAY)
    found = {
        (row.content_type.app_label, row.codename): row
        for row in there.select_related("content_type")
    }
    missing = wanted - found.keys()
    if missing:
        raise UnknownPermission(", ".join(sorted(f"{app}.{name}" for app, name in missing)))
    return [found[each] for each in wanted]
