"""What holds on every page, in every mail, form and table, whatever is added later: all are walked over."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django import forms
from django.apps import apps
from django.conf import settings as site
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone

from coaching_site import inlined, mail
from pages.models import Practice
from tests.booking.conftest import new_type
from tests.conftest import OPERATOR
from tests.test_environment import GOOD
from tests.test_house import ROOMS, ROOT, dotted, modules

OURS = ("booking", "desk", "newsletter", "pages")
TEMPLATES = ROOT / "templates"
MAILS = sorted(path.with_suffix("").with_suffix("") for path in TEMPLATES.rglob("*.subject.txt"))
# Whoever signs in or asks for anything of their own comes by a form; all else only reads.
FORM = re.compile(r"<form[^>]*method=\"post\"", re.IGNORECASE)
FILE = re.compile(r"^/(static|media)/|\.ico$")
MOST_PAGES = 100
TAX_NUMBER = "12/345/67890"
# Of the guests' money nothing but Stripe's own numbers is kept.
PAYMENT_DATA = re.compile(
    r"card|karte|iban|\bbic\b|cvc|cvv|kontonummer|account_number", re.IGNORECASE
)
# The coach's own account, which stands on invoices.
COACHS_OWN = {"pages.Practice.iban", "pages.admin.PracticeForm.iban"}


# --- pages ----------------------------------------------------------------------------------------


Pages = dict[str, tuple[str, set[str]]]


@pytest.fixture(scope="module")
def kept() -> Pages:
    """The pages are the same for all who ask, and visited once."""
    return {}


@pytest.fixture
def pages(whole, calendar, kept: Pages) -> Pages:
    """Every page links lead to, each visited as a newcomer: its words, and the cookies it set."""
    Practice.objects.update(tax_number=TAX_NUMBER)
    new_type(calendar)
    new_type(calendar, title="Sparring", slug="sparring", price_cents=30000, deposit_cents=15000)
    waiting = [] if kept else ["/", "/newsletter/link/", "/gibt-es-nicht/", "/verwaltung/login/"]
    while waiting and len(kept) < MOST_PAGES:
        address = waiting.pop(0)
        answer = Client().get(address)
        words = answer.content.decode() if "html" in answer.get("Content-Type", "") else ""
        kept[address] = (words, set(answer.cookies))
        links = [*re.findall(r'href="(/[^"#]*)"', words), answer.get("Location", "/")]
        new = [link.replace("&amp;", "&") for link in links if not FILE.search(link)]
        waiting += [link for link in dict.fromkeys(new) if link not in {*kept, *waiting}]
    return kept


def test_who_only_reads_gets_no_cookie_and_who_opens_a_form_gets_its_one(pages):
    assert len(pages) > 40
    assert any("/zeit/" in address and FORM.search(words) for address, (words, _) in pages.items())
    for address, (words, cookies) in pages.items():
        allowed = {site.CSRF_COOKIE_NAME} if FORM.search(words) else set()
        assert cookies <= allowed, address


def test_no_page_loads_anything_from_elsewhere_or_a_script_nobody_thought_about(pages):
    loaded = re.compile(r'<(?:script|img|iframe|source|video|audio|embed)[^>]* src="([^"]*)"')
    styles = re.compile(r'<link[^>]*rel="(?:stylesheet|preload|icon)"[^>]*href="([^"]*)"')
    for address, (words, _) in pages.items():
        for source in [*loaded.findall(words), *styles.findall(words)]:
            assert source.startswith(("/static/", "/media/", "/favicon.ico", "data:")), address


def test_scripts_are_few_and_nobody_waits_for_them(pages):
    for address, (words, _) in pages.items():
        if not address.startswith("/verwaltung/"):
            for kind, script in re.findall(r"<script([^>]*)>(.*?)</script>", words, re.DOTALL):
                is_data = kind == ' type="application/ld+json"'
                assert is_data or (kind, script) == (' type="module"', inlined.ZONE), address
    assert len(inlined.ZONE) < 3 * 1024


def test_no_page_asks_to_agree_to_cookies_or_links_the_closed_platform(pages):
    for address, (words, _) in pages.items():
        assert "ec.europa.eu/consumers/odr" not in words, address
        assert not re.search(r"cookies? (akzeptieren|zustimmen|erlauben)", words, re.I), address


def test_the_tax_number_stands_on_no_page(pages):
    assert [address for address, (words, _) in pages.items() if TAX_NUMBER in words] == []


def test_every_form_that_asks_for_something_of_a_person_leads_to_the_privacy_notice():
    asks = re.compile(r"\|(as_)?crispy(_field)?|<textarea|type=\"(email|text)\"")
    # Of what is agreed to here, all was given before; the last one is the coach's.
    known = {"booking/review.html", "booking/move.html", "booking/request.html"}
    silent = [
        str(path.relative_to(TEMPLATES))
        for path in TEMPLATES.rglob("*.html")
        if "admin" not in path.parts
        and FORM.search(path.read_text("utf-8"))
        and asks.search(path.read_text("utf-8"))
        and 'url "privacy"' not in path.read_text("utf-8")
    ]

    assert set(silent) <= known


@pytest.mark.parametrize("path", ["/", "/termin/", "/vertrag-widerrufen/", "/verwaltung/login/"])
def test_forms_lead_nowhere_but_here_and_nothing_is_framed(client, whole, path):
    policy = dict(
        part.split(" ", 1) for part in client.get(path)["Content-Security-Policy"].split("; ")
    )

    assert policy["form-action"] == "'self'"
    assert policy["default-src"] == "'none'"
    assert policy["script-src"].split() == ["'self'", *inlined.SCRIPT_SOURCES]
    assert (policy["frame-ancestors"], policy["base-uri"]) == ("'none'", "'none'")
    assert not [value for value in policy.values() if "://" in value]


def test_with_payments_a_form_may_lead_to_stripes_page_and_only_there():
    code = (
        "from coaching_site import settings as s;"
        "print(*s.CONTENT_SECURITY_POLICY['DIRECTIVES']['form-action'])"
    )
    paying = {**GOOD, "STRIPE_SECRET_KEY": "sk_live_1", "STRIPE_WEBHOOK_SECRET": "whsec_1"}

    shown = subprocess.run(
        [sys.executable, "-c", code], env=paying, cwd=ROOT, capture_output=True, text=True
    )

    assert shown.stdout.split() == ["'self'", "https://checkout.stripe.com"], shown.stderr


# --- mails ----------------------------------------------------------------------------------------


def source(path: Path, ending: str) -> str:
    return path.with_name(path.name + ending).read_text("utf-8")


def name_of(path: Path) -> str:
    return str(path.relative_to(TEMPLATES))


@pytest.mark.parametrize("path", MAILS, ids=name_of)
def test_every_mail_has_both_parts_and_says_who_sends_it(path):
    assert (
        source(path, ".txt")
        .rstrip()
        .endswith('{% include "mail/imprint.txt" %}{% endautoescape %}')
    )
    assert '{% extends "mail/base.html" %}' in source(path, ".html")
    assert '{% include "mail/imprint.html" %}' in (TEMPLATES / "mail/base.html").read_text("utf-8")


@pytest.mark.parametrize("ending", ["html", "txt"])
def test_the_imprint_in_mails_names_all_that_the_law_asks_for(whole, ending):
    values = {"practice": whole, "site_url": site.SITE_URL}
    shown = render_to_string(f"mail/imprint.{ending}", values)

    wanted = {name: OPERATOR[name] for name in ("street", "postal_code", "city", "email", "phone")}
    for word in (*wanted.values(), "Vorname Nachname", whole.vat_id, "/impressum/"):
        assert word in shown


@pytest.mark.parametrize("ending", ["html", "txt"])
def test_every_issue_of_the_newsletter_names_its_sender_too(ending):
    path = TEMPLATES / "newsletter" / "issue" / f"mail.{ending}"

    assert f'{{% include "mail/imprint.{ending}" %}}' in path.read_text("utf-8")


@pytest.mark.parametrize(
    "path",
    [path for path in MAILS if "newsletter" not in path.parts],
    ids=name_of,
)
def test_a_mail_about_a_matter_advertises_nothing(path):
    # The mail base and its includes hold nothing of it either.
    for ending in (".subject.txt", ".txt", ".html"):
        text = source(path, ending)
        for word in ("newsletter:", "Newsletter", 'url "offer"', 'url "landing"', "Angebot"):
            assert word not in text


@pytest.mark.parametrize("path", MAILS, ids=name_of)
def test_no_subject_tells_what_somebody_comes_to_talk_about(path):
    for word in ("topic", "answers", "call_type", "company"):
        assert word not in source(path, ".subject.txt")


def test_no_mail_counts_who_opens_it_or_clicks():
    for path in TEMPLATES.rglob("*.html"):
        if {"mail", "issue"} & set(path.parts) or path.name == "mail.html":
            text = path.read_text("utf-8")
            assert not re.search(r"utm_|pixel|width=\"1\"|height=\"1\"|/click/|/open/", text), path


def test_an_answer_to_a_mail_reaches_the_coach(whole):
    context = {"expires_at": timezone.now()}
    message = mail.compose("desk/mail/person_link", to="x@example.org", context=context, key="x")

    assert message.reply_to == [site.COACH_EMAIL]
    assert "noreply" not in message.from_email.lower()


# --- tables and forms -----------------------------------------------------------------------------


def form_classes() -> Iterator[type[forms.BaseForm]]:
    for path in modules():
        if path.relative_to(ROOT).parts[0] in ROOMS and "forms" in path.read_text("utf-8"):
            importlib.import_module(".".join(dotted(path)))
    waiting = [forms.BaseForm]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if kind.__module__.split(".")[0] in ROOMS:
                yield kind


def test_nobody_is_asked_for_a_card_or_an_account(db):
    asked = {
        f"{kind.__module__}.{kind.__name__}.{name}"
        for kind in form_classes()
        for name, field in getattr(kind, "base_fields", {}).items()
        if PAYMENT_DATA.search(name)
        or PAYMENT_DATA.search(str(field.label or ""))
        or field.widget.attrs.get("autocomplete", "").startswith("cc-")
    }

    assert len(list(form_classes())) > 15
    assert asked <= COACHS_OWN


def test_no_table_has_a_place_for_a_card_or_an_account():
    kept = {
        f"{model._meta.app_label}.{model.__name__}.{field.name}"
        for app in OURS
        for model in apps.get_app_config(app).get_models()
        for field in model._meta.get_fields()
        if PAYMENT_DATA.search(field.name) and not field.name.startswith("cancel")
    }

    assert kept <= COACHS_OWN


def test_no_template_asks_a_browser_for_card_data():
    assert not [
        path for path in TEMPLATES.rglob("*.html") if 'autocomplete="cc-' in path.read_text("utf-8")
    ]
