"""Where the coach goes from anywhere, and in which order the admin's lists are read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.urls import NoReverseMatch, reverse

from coaching_site.desk.permissions import PEOPLE


@dataclass(frozen=True)
class Place:
    """A page in the navigation; `is_here` while it or a page below it is read."""

    title: str
    address: str
    is_here: bool


# Name, title, and the permissions all of which the page asks for.
PLACES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("index", "Heute", ()),
    ("calendar", "Kalender", ("booking.view_booking",)),
    ("people", "Menschen", PEOPLE),
    ("figures", "Zahlen", ("booking.view_booking",)),
    ("newsletter_issue_changelist", "Newsletter", ("newsletter.view_issue",)),
    ("mails", "Mails", ("pages.view_mailwording",)),
    ("set_up", "Einrichten", ("pages.change_practice",)),
)

# The admin's lists in the order in which a coach thinks. Every section ends with what else belongs
# to its app, so that a new list is never lost.
SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Termine",
        (
            "booking.booking",
            "booking.calltype",
            "booking.calendar",
            "booking.busyfeed",
            "booking.*",
        ),
    ),
    ("Geld", ("booking.alarm", "booking.deposit", "booking.invoice", "booking.withdrawal")),
    (
        "Newsletter",
        (
            *("newsletter.issue", "newsletter.picture", "newsletter.subscriber", "newsletter.tag"),
            *("newsletter.import", "newsletter.delivery", "newsletter.feedback", "newsletter.*"),
        ),
    ),
    ("Website", ("pages.practice", "pages.testimonial", "pages.legaltext", "pages.*")),
    ("Menschen", ("desk.personrequest",)),
    ("Technik", ("desk.*", "auth.user", "*")),
)


def places(path: str, user: User | AnonymousUser) -> list[Place]:
    """The pages this user may open, as far as they exist."""
    found = []
    for name, title, needed in PLACES:
        address = _address(name)
        if address and user.has_perms(needed):
            is_here = path == address if name == "index" else path.startswith(address)
            found.append(Place(title, address, is_here))
    return found


def in_sections(apps: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Django's list of apps, sorted anew; nothing is added and nothing is left out."""
    left = {_key(app, model): (app, model) for app in apps for model in app["models"]}
    named = {key for _, keys in SECTIONS for key in keys}
    sections = []
    for title, keys in SECTIONS:
        fitting = [each for key in keys for each in left if _fits(each, key, named)]
        lists = [left.pop(each) for each in dict.fromkeys(fitting)]
        if lists:
            sections.append(_section(title, lists))
    return sections


def _fits(each: str, key: str, named: Collection[str]) -> bool:
    """Whether it is this list, or one of those that are named nowhere."""
    return each == key or (each not in named and fnmatchcase(each, key))


def _key(app: dict[str, Any], model: dict[str, Any]) -> str:
    return f"{app['app_label']}.{model['object_name'].lower()}"


def _section(title: str, lists: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    app, _ = lists[0]
    return {**app, "name": title, "models": [model for _, model in lists]}


def _address(name: str) -> str:
    try:
        return reverse(f"admin:{name}")
    except NoReverseMatch:
        return ""
