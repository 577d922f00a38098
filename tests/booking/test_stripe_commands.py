"""What an operator asks on the command line: is it set up, and is anything left to settle?"""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from booking import checkout, stripe_gateway
from booking.models import Booking
from tests.booking.conftest import hold
from tests.stripe_sandbox import api

HERE = "http://localhost:8000/stripe/webhook/"


@pytest.fixture
def said(capsys):
    """What a command says, and how it ends."""

    def run(name: str) -> tuple[str, int]:
        try:
            call_command(name)
            code = 0
        except SystemExit as end:
            code = int(str(end.code))
        except CommandError as error:
            return str(error), 1
        return capsys.readouterr().out.strip(), code

    return run


# --- stripe_reconcile ---------------------------------------------------------------------------


def test_reconciling_books_what_was_paid_and_can_be_repeated(paid_type, stripe, now, clock, said):
    booking = hold(paid_type, now=now)
    checkout.begin(booking, now=now)
    stripe.pay(stripe.sessions[0]["id"])

    first, second = said("stripe_reconcile"), said("stripe_reconcile")

    assert Booking.objects.get().is_confirmed
    assert first[0].startswith("payments=1 refunds=0 events=")
    assert first[0].endswith("stripe=well")
    assert second == ("payments=0 refunds=0 events=0 stripe=well", 0)


def test_reconciling_without_stripe_ends_with_an_error(stripe, clock, said):
    stripe.faults.server_error(times=None)

    out, code = said("stripe_reconcile")

    assert (out.endswith("stripe=away"), code) == (True, 1)


def test_reconciling_with_a_refused_key_ends_with_an_error(stripe, clock, said):
    stripe.faults.refuse(403, "No rights", on="GET /v1/events")

    out, code = said("stripe_reconcile")

    assert (out.startswith("Stripe refused to answer"), code) == (True, 1)


# --- stripe_check -------------------------------------------------------------------------------


def test_when_all_is_well_the_check_says_so(stripe, clock, said):
    out, code = said("stripe_check")

    assert code == 0
    assert "✓ Der Schlüssel gilt. Modus: Testmodus." in out
    assert f"✓ Webhook-Endpunkt {HERE}: eingeschaltet und vollständig." in out
    assert "✗" not in out


def test_without_a_key_the_check_says_so(db, settings, said):
    assert said("stripe_check") == (
        "✗ STRIPE_SECRET_KEY ist leer: Bezahlt werden kann hier nichts.",
        1,
    )


def test_a_key_nobody_knows_is_said_to_be_unknown(stripe, clock, said):
    stripe.faults.refuse(401, "Invalid API Key provided: sk_test_*****box", times=None)

    assert said("stripe_check") == (
        "✗ Stripe kennt den Schlüssel nicht, oder er ist abgelaufen.",
        1,
    )


def test_when_stripe_is_away_the_check_says_so(stripe, clock, said):
    stripe.faults.server_error(times=None)

    assert said("stripe_check") == (
        "✗ Stripe antwortet nicht. Versuch es später noch einmal.",
        1,
    )


def test_an_endpoint_elsewhere_is_not_ours(stripe, clock, settings, said):
    settings.SITE_URL = "https://praxis.example"

    out, code = said("stripe_check")

    assert "Kein Webhook-Endpunkt zeigt auf https://praxis.example/stripe/webhook/." in out
    assert code == 1


def test_everything_wrong_with_the_endpoint_is_named_at_once(stripe, clock, said, monkeypatch):
    stripe.listen(HERE, events=["checkout.session.completed"])
    monkeypatch.setattr(api, "API_VERSION", "2019-12-03")
    [endpoint] = stripe.account.endpoints
    monkeypatch.setattr(
        stripe.account, "endpoints", [type(endpoint)(**{**vars(endpoint), "status": "disabled"})]
    )

    out, code = said("stripe_check")

    assert code == 1
    for problem in (
        "Er ist ausgeschaltet.",
        f"ist 2019-12-03; diese Seite spricht {stripe_gateway.api_version()}.",
        "Ihm fehlen Ereignisse: charge.dispute.closed, ",
    ):
        assert problem in out


def test_an_endpoint_for_all_events_misses_none(stripe, clock, said):
    stripe.listen(HERE, events=["*"])

    assert said("stripe_check")[1] == 0


def test_a_restricted_key_need_not_see_endpoints(stripe, clock, said):
    stripe.faults.refuse(403, "No rights", on="GET /v1/webhook_endpoints")

    out, code = said("stripe_check")

    assert code == 0
    assert "Der Schlüssel darf Webhook-Endpunkte nicht lesen." in out


def test_rights_that_are_needed_are_named_together(stripe, clock, said):
    stripe.faults.refuse(403, "No rights", on="GET /v1/events")
    stripe.faults.refuse(403, "No rights", on="GET /v1/refunds")

    out, code = said("stripe_check")

    assert "✗ Dem Schlüssel fehlt das Recht: Erstattungen lesen, Ereignisse lesen." in out
    assert code == 1


@pytest.mark.parametrize("status", [None, 401, 403, 500])
def test_no_command_shows_a_key(stripe, clock, said, caplog, status):
    if status:
        stripe.faults.refuse(status, f"No rights for {stripe.api_key}", times=None)

    out = said("stripe_check")[0] + said("stripe_reconcile")[0] + caplog.text

    assert stripe.api_key not in out
    assert "whsec_" not in out
