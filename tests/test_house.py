"""The floors of the house: imports only point down, and none hides inside a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("coaching_site", "pages", "booking", "newsletter")

# The lowest floor is 0. A module may use its own floor and those below.
FLOORS = {
    0: (
        "slots",
        "busy_times",
        "errors",
        "invoice_data",
        "jobs",
        "german",
        "formats",
        "vat",
        "environment",
        "inlined",
        "links",
        "addresses",
        "append_only",
        "periods",
        "stored",
        "tokens",
        "return_paths",
        "dsn",
        "networks",
        "public_holidays",
        "spam",
        "logs",
        "tracing",
        "compiled",
        "portable",
        "pdf",
        "markdown",
        "offering",
        "wording",
        "mail_wording",
        "postgres_programs",
        "progress",
        "export_kinds",
        "permissions",
        "on_demand",
    ),
    1: (
        "models",
        "counting_models",
        "import_models",
        "issue_models",
        "legal_models",
        "testimonial_models",
        "mail_wording_models",
        "work_models",
    ),
    2: (
        "mail",
        "ics",
        "busy_feeds",
        "fetching",
        "stripe_gateway",
        "rendering",
        "context",
        "checks",
        "structured_data",
        "charts",
        "csv_export",
        "zip_export",
        "portraits",
        "pictures",
        "kept",
        "counters",
        "clock",
        "news",
        "consent",
        "inbox",
        "feeds",
        "legal",
        "legal_facts",
        "legal_pdf",
        "filling",
        "compliance",
        "comparing",
        "own_words",
        "invoice_pdf",
        "mail_frames",
    ),
    3: (
        "availability",
        "scheduling",
        "deposits",
        "invoice_drafts",
        "invoicing",
        "feeds_sync",
        "diagnosis",
        "capacity",
        "blocking",
        "agenda",
        "limits",
        "subscriptions",
        "preferences",
        "quotas",
        "suppressions",
        "tagging",
        "preflight",
        "dead_links",
        "feedback",
        "inbox_sync",
        "growth",
        "imports",
        "sending",
        "exports",
        "writing",
        "notices",
        "reminders",
        "attendance",
        "forgetting",
        "guests",
        "testimonials",
        "sitemaps",
        "middleware",
        "health",
    ),
    4: (
        "cancellation",
        "checkout",
        "by_hand",
        "withdrawals",
        "orders",
        "figures",
        "people",
        "notes",
        "finding",
        "roles",
        "retention",
        "audit",
        "sign_in",
        "two_factor",
        "backups",
        "questions",
        "attention",
        "matters",
        "watches",
        "today",
        "set_up",
        "navigation",
        "mail_register",
        "mail_samples",
        "long_work",
        "alarms",
        "upkeep",
    ),
    5: ("forms", "import_forms", "issue_forms", "native_fields", "calendar_forms", "mail_forms"),
    6: (
        "views",
        "admin",
        "import_admin",
        "issue_admin",
        "issue_pages",
        "ledger_admin",
        "open_first",
        "read_only",
        "sending_admin",
        "tasks",
        "webhooks",
        "legal_admin",
        "testimonial_admin",
        "figures_pages",
        "two_factor_pages",
        "set_up_pages",
        "calendar_pages",
        "week_grid",
        "mail_pages",
        "watching",
        "downloads",
        "work_pages",
        "people_pages",
        "dossier",
        "confirming",
        "user_admin",
        "commands",
        "site",
        "templatetags",
    ),
    7: ("urls", "apps", "settings", "wsgi", "gunicorn", "local", "migrations"),
}


def modules() -> Iterator[Path]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "migrations" not in path.parts and path.name != "__init__.py":
                yield path


def floor(parts: tuple[str, ...]) -> int | None:
    """The floor of a dotted module, told by the first word that has one."""
    for part in parts[1:]:
        for number, names in FLOORS.items():
            if part in names:
                return number
    return None


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """Every module of the house this file imports, as dotted parts."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            parent = tuple(node.module.split("."))
            # `from booking import scheduling` names a module, `from booking.slots import X` does not.
            yield from ((*parent, alias.name) for alias in node.names)


def dotted(path: Path) -> tuple[str, ...]:
    return path.relative_to(ROOT).with_suffix("").parts


@pytest.mark.parametrize("path", list(modules()), ids=lambda path: ".".join(dotted(path)))
def test_imports_only_point_down(path):
    own = floor(dotted(path))
    assert own is not None, "give this module a floor"

    above = [
        ".".join(used) for used in imports(path) if used[0] in ROOMS and (floor(used) or 0) > own
    ]

    assert above == []


@pytest.mark.parametrize(
    ("room", "stranger"), [("booking", "newsletter"), ("newsletter", "booking")]
)
def test_booking_and_newsletter_do_not_know_each_other(room, stranger):
    met = [
        str(path.relative_to(ROOT))
        for path in modules()
        if path.relative_to(ROOT).parts[0] == room
        and any(used[0] == stranger for used in imports(path))
    ]

    assert met == []


def test_slots_are_ground_floor():
    used = {parts[0] for parts in imports(ROOT / "booking" / "slots.py")}

    assert not used & {"django", *ROOMS}
