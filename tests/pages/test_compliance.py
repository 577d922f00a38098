"""`manage.py legalcheck` and the deployment check: every hole has a sentence."""

from __future__ import annotations

import io
from datetime import datetime

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.utils import timezone

from pages import compliance
from pages.models import Practice
from tests.booking.conftest import new_type
from tests.pages.test_legal import Kind, publish, write

pytestmark = pytest.mark.django_db

FUNCTION = "Der Link http://localhost:8000/vertrag-widerrufen/ führt ins Leere."


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def published(whole, now):
    for kind in Kind:
        publish(kind, now=now, valid_from=timezone.localdate(now))
    return whole


def said() -> list[str]:
    return [finding.sentence for finding in compliance.findings(now=timezone.now())]


def run() -> tuple[int, list[str]]:
    """Exit code and lines of the command."""
    out = io.StringIO()
    try:
        call_command("legalcheck", stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


def test_with_everything_done_only_the_function_to_withdraw_is_missing(published):
    assert [each for each in said() if FUNCTION not in each] == []


def test_every_empty_field_and_every_draft_is_named():
    code, lines = run()

    assert code == 1
    assert "MUSS  Im Impressum fehlt: Vorname." in lines
    assert any("AGB: noch der Starttext" in line for line in lines)
    assert any("Darin fehlt:" in line and "Aufsichtsbehörde" in line for line in lines)


def test_the_command_succeeds_once_nothing_must_be_mended(published, monkeypatch):
    monkeypatch.setattr(compliance, "is_valid_path", lambda path: True)

    code, lines = run()

    assert code == 0
    assert lines == [
        "INFO  Umsatzsteuer: Regelbesteuerung (Preise inkl. 19 % MwSt.).",
        "INFO  Stripe: kein Schlüssel.",
        "Nichts, was sein muss, fehlt.",
    ]


def test_an_unchecked_text_must_be_checked(whole, now):
    publish(now=now, valid_from=timezone.localdate(now), is_checked=False)

    assert "AGB: Fassung 1 ist nicht als geprüft vermerkt." in said()


def test_changed_data_are_noticed(published):
    Practice.objects.update(phone="+49 40 99")

    outdated = [each for each in said() if "neu veröffentlichen" in each]
    assert len(outdated) == 4  # all but the terms name the telephone


@pytest.mark.parametrize(
    ("link", "is_dead"),
    [
        ("/gibt-es-nicht/", True),
        ("http://localhost:8000/weg/", True),
        ("/datenschutz/#gibt-es-nicht", True),
        ("#nirgends", True),
        ("/datenschutz/#newsletter", False),
        ("/newsletter/", False),
        ("#hier", False),
        ("https://fremd.example/", False),
        ("mailto:hallo@praxis.example", False),
    ],
)
def test_dead_links_of_our_own_are_named(published, now, link, is_dead):
    write(f"## Hier {{#hier}}\n\n[x]({link})", now=now)
    publish(now=now, valid_from=timezone.localdate(now))

    assert (f"AGB: Der Link {link} führt ins Leere." in said()) is is_dead


def test_a_link_to_the_closed_platform_is_named(published, now):
    write("[OS](https://ec.europa.eu/consumers/odr/)", now=now)
    publish(now=now, valid_from=timezone.localdate(now))

    assert any("gibt es nicht mehr" in each for each in said())


def test_a_privacy_notice_without_a_processor_or_a_cookie_is_noticed(published, now, settings):
    write("Wir sind nett.", now=now, kind=Kind.PRIVACY)
    publish(Kind.PRIVACY, now=now, valid_from=timezone.localdate(now))

    sentences = said()

    assert "Datenschutzerklärung: Zu „Hoster, Ort“ fehlt der Abschnitt {#hosting}." in sentences
    assert any("Das Cookie sessionid steht nicht darin." in each for each in sentences)


def test_a_changed_statutory_model_is_noticed(published, now):
    write("Du kannst widerrufen. {{ widerruf_adresse }}", now=now, kind=Kind.WITHDRAWAL)
    publish(Kind.WITHDRAWAL, now=now, valid_from=timezone.localdate(now))

    assert any("weicht vom gesetzlichen Muster ab" in each for each in said())


def test_the_tax_mode_and_the_payment_mode_are_told(published, settings, calendar):
    new_type(calendar, price_cents=10000)
    assert any("aber keinen Stripe-Schlüssel" in each for each in said())

    settings.STRIPE_SECRET_KEY, settings.STRIPE_IS_LIVE = "sk_live_1", True
    assert "Stripe nimmt echtes Geld an, aber das hier ist nicht der Betrieb." in said()
    assert "INFO  Stripe: echtes Geld." in run()[1]

    settings.SITE_PROFILE, settings.STRIPE_IS_LIVE = "production", False
    assert "Stripe läuft im Testmodus." in said()

    Practice.objects.update(vat_mode=Practice.VatMode.SMALL_BUSINESS)
    assert "INFO  Umsatzsteuer: Kleinunternehmer (§ 19 UStG)." in run()[1]


def test_real_money_waits_for_checked_papers(whole, now):
    assert [each for each in whole.placeholders() if "Entwurf" in each] == [
        "AGB (noch Entwurf)",
        "Widerrufsbelehrung (noch Entwurf)",
        "Datenschutzerklärung (noch Entwurf)",
    ]

    for kind in (Kind.TERMS, Kind.WITHDRAWAL, Kind.PRIVACY):
        publish(kind, now=now, valid_from=timezone.localdate(now))

    assert whole.placeholders() == []


def test_the_deployment_check_says_the_same(published):
    Practice.objects.update(phone="+49 40 99")

    found = run_checks(include_deployment_checks=True, databases=["default"])

    errors = [message.msg for message in found if message.id == "pages.E001"]
    assert any("AGB" not in each and "neu veröffentlichen" in each for each in errors)
    assert not [
        each
        for each in run_checks(include_deployment_checks=True)
        if str(each.id).startswith("pages.")
    ]


def test_words_of_the_coach_that_must_not_advertise_are_named_and_keep_nothing_back(
    published, calendar
):
    Practice.objects.update(biography="Klimaneutral gehostet.")
    new_type(calendar, title="Sparring", description="Mit Zertifikat.")

    _, lines = run()

    (bio,) = (line for line in lines if "„Klimaneutral“" in line)
    (call,) = (line for line in lines if "„Zertifikat“" in line)
    assert "Praxis, Profil: " in bio
    assert "Gesprächsart „Sparring“: " in call
    assert not bio.startswith("MUSS")
    assert not call.startswith("MUSS")
