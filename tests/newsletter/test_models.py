"""What the database itself refuses, and the one door in what only grows."""

from contextlib import contextmanager

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from coaching_site.append_only import erasing
from newsletter import subscriptions, tokens
from newsletter.models import (
    ConfirmLink,
    Consent,
    Event,
    Subscriber,
    Suppression,
    suppression_hashes,
)
from pages import consent
from tests.newsletter.conftest import ADA, DAYS, MINUTES

pytestmark = pytest.mark.django_db

TEXT = consent.ConsentText("Ja, schick mir den Newsletter.")


@contextmanager
def refused_by(constraint):
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        yield
    cause = caught.value.__cause__
    assert isinstance(cause, psycopg.Error)
    assert cause.diag.constraint_name == constraint


def subscriber(now, **values) -> Subscriber:
    return Subscriber.objects.create(
        **{"address": ADA, "address_key": ADA, "created_at": now, **values}
    )


def request(now, **values) -> Consent:
    return Consent.objects.create(
        **{
            "address": ADA,
            "text": TEXT.text,
            "text_version": TEXT.version,
            "text_sha256": TEXT.sha256,
            "page": "/newsletter/",
            "requested_at": now,
            **values,
        }
    )


def test_an_address_has_one_row(now):
    subscriber(now)

    with refused_by("newsletter_one_subscriber_per_address"):
        subscriber(now, address=ADA.title())


def test_a_signed_link_means_one_person(now):
    first = subscriber(now)

    with refused_by("newsletter_public_id_is_unique"):
        subscriber(now, address_key="bob@leser.example", public_id=first.public_id)


@pytest.mark.parametrize("key", ["Ada@leser.example", ""])
def test_a_key_is_normalised(now, key):
    with refused_by("newsletter_address_key_is_normalised"):
        subscriber(now, address_key=key)


def test_a_status_is_one_of_three(now):
    with refused_by("newsletter_subscriber_status_is_known"):
        subscriber(now, status="maybe")


@pytest.mark.parametrize("missing", ["consent", "confirmed_at"])
def test_confirmed_means_consent_and_time_exist(now, missing):
    proof = {"consent": request(now, confirmed_at=now), "confirmed_at": now, missing: None}

    with refused_by("newsletter_confirmed_means_consent"):
        subscriber(now, status="confirmed", **proof)


def test_nobody_is_confirmed_and_unsubscribed_at_once(now):
    proof = {"consent": request(now, confirmed_at=now), "confirmed_at": now}

    with refused_by("newsletter_confirmed_means_consent"):
        subscriber(now, status="confirmed", unsubscribed_at=now, **proof)


def test_an_unsubscription_has_a_time(now):
    with refused_by("newsletter_unsubscribed_has_a_time"):
        subscriber(now, status="unsubscribed")


def test_a_consent_is_of_a_known_kind(now):
    with refused_by("newsletter_consent_kind_is_known"):
        request(now, kind="telephone")


@pytest.mark.parametrize(
    "wrong", [{"text": ""}, {"text": "Etwas anderes."}, {"text_version": ""}, {"text_sha256": "0"}]
)
def test_a_consent_holds_the_text_its_hash_speaks_of(now, wrong):
    with refused_by("newsletter_consent_has_its_text"):
        request(now, **wrong)


@pytest.mark.parametrize(
    "times",
    [{"confirmed_at": -1}, {"confirmed_at": 2, "withdrawn_at": 1}],
)
def test_asking_confirming_and_withdrawing_follow_each_other(now, times):
    moments = {name: now + minutes * MINUTES for name, minutes in times.items()}

    with refused_by("newsletter_consent_times_in_order"):
        request(now, **moments)


def test_what_was_never_confirmed_cannot_be_withdrawn(now):
    with refused_by("newsletter_only_a_consent_is_withdrawn"):
        request(now, withdrawn_at=now)


def test_a_confirm_link_is_unique(now):
    link = {"consent": request(now), "token_sha256": tokens.digest("t"), "expires_at": now}
    ConfirmLink.objects.create(**link)

    with refused_by("newsletter_confirm_link_is_unique"):
        ConfirmLink.objects.create(**link)


def test_a_suppression_is_noted_once_and_for_a_known_reason(now):
    entry = {"address_hash": suppression_hashes(ADA)[0], "created_at": now}
    Suppression.objects.create(**entry, reason="complaint")

    with refused_by("newsletter_one_suppression_per_reason"):
        Suppression.objects.create(**entry, reason="complaint")
    with refused_by("newsletter_suppression_reason_is_known"):
        Suppression.objects.create(**entry, reason="mood")


def test_a_suppression_is_found_after_the_key_was_changed(now, settings):
    Suppression.objects.create(
        address_hash=suppression_hashes(ADA)[0], reason="blocked", created_at=now
    )

    settings.LINK_KEYS = ["a-new-key-that-nobody-knows-yet-" * 2, *settings.LINK_KEYS]

    assert Suppression.objects.of(ADA).exists()
    assert not Suppression.objects.of("bob@leser.example").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"text": "x"},
        {"address": ""},
        {"page": "/"},
        {"requested_at": None},
        {"subscriber": None},
        {"kind": "x"},
        {"text_version": "0"},
    ],
)
def test_a_consent_never_changes(now, change):
    row = request(now, subscriber=subscriber(now))
    change = {
        name: value or now - DAYS if "_at" in name else value for name, value in change.items()
    }

    with refused_by("newsletter_consent_only_grows"):
        Consent.objects.filter(pk=row.pk).update(**change)


def test_a_consent_is_never_deleted_even_unconfirmed(now):
    row = request(now)

    with refused_by("newsletter_consent_only_grows"):
        row.delete()


def test_confirming_and_withdrawing_are_filled_once_each(now):
    rows = Consent.objects.filter(pk=request(now).pk)

    rows.update(confirmed_at=now)
    rows.update(withdrawn_at=now + DAYS)

    for change in [{"confirmed_at": now + DAYS}, {"withdrawn_at": None}, {"confirmed_at": None}]:
        with refused_by("newsletter_consent_only_grows"):
            rows.update(**change)


def test_erasing_opens_the_door_for_its_block_alone(now):
    kept, gone = request(now, confirmed_at=now), request(now)

    with erasing():
        Consent.objects.filter(pk=kept.pk).update(address="")
        gone.delete()

    assert list(Consent.objects.values_list("pk", "address")) == [(kept.pk, "")]
    with refused_by("newsletter_consent_only_grows"):
        kept.delete()


def test_an_erasure_may_call_another_one(now):
    row = request(now)

    with erasing():
        with erasing():
            pass
        row.delete()

    assert Consent.objects.count() == 0


def test_a_failed_erasure_closes_the_door_behind_it(now):
    row = request(now)

    with pytest.raises(ZeroDivisionError), erasing():
        raise ZeroDivisionError

    with refused_by("newsletter_consent_only_grows"):
        row.delete()


def test_the_door_is_closed_in_the_next_transaction():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('app.erasing', true)")
        (value,) = cursor.fetchone()

    assert value in (None, "", "off")


def test_a_row_with_consents_is_not_deleted_by_accident(now):
    row = subscriber(now)
    request(now, subscriber=row)

    with pytest.raises(ProtectedError):
        row.delete()


def test_the_envelope_speaks_punycode_and_keeps_the_local_part(now):
    row = subscriber(now, address="Max@straße.de", address_key="max@xn--strae-oqa.de")

    assert row.mailbox == "Max@xn--strae-oqa.de"


def test_a_kept_ip_address_has_an_end(now):
    with refused_by("newsletter_network_is_kept_until_a_time"):
        request(now, network="8.8.4.0/24")
    with refused_by("newsletter_network_is_kept_until_a_time"):
        request(now, network_until=now)


def test_the_hash_of_an_address_stands_only_where_the_address_is_gone(now):
    with refused_by("newsletter_hash_stands_for_an_erased_address"):
        request(now, address_hash="0" * 64)


def event(now, **values) -> Event:
    return Event.objects.create(
        **{"kind": "left", "by": "reader", "at": now, "subscriber": None, **values}
    )


def test_an_event_is_of_a_known_kind_and_of_somebody(now):
    row = subscriber(now)

    with refused_by("newsletter_event_is_of_a_known_kind"):
        event(now, kind="sang", subscriber=row)
    with refused_by("newsletter_event_is_of_somebody"):
        event(now, by="nobody", subscriber=row)


def test_an_erasure_names_nobody_and_everything_else_names_somebody(now):
    row = subscriber(now)

    for wrong in (
        {"kind": "left"},
        {"kind": "erased", "subscriber": row},
        {"kind": "erased", "detail": ADA},
    ):
        with refused_by("newsletter_only_an_erasure_names_nobody"):
            event(now, **wrong)


def test_an_event_never_changes_and_is_never_deleted(now):
    row = event(now, subscriber=subscriber(now))

    with refused_by("newsletter_event_only_grows"):
        Event.objects.update(at=now + DAYS)
    with refused_by("newsletter_event_only_grows"):
        row.delete()
    with erasing():
        row.delete()
    assert Event.objects.count() == 0


def test_networks_are_forgotten_on_their_day_and_nothing_else_is(now):
    kept = request(now, network="8.8.4.0/24", network_until=now + 90 * DAYS)
    gone = request(now, network="8.8.5.0/24", network_until=now + 80 * DAYS)

    assert subscriptions.forget_networks(now=now + 80 * DAYS) == 1
    assert subscriptions.forget_networks(now=now + 80 * DAYS) == 0

    for row in (kept, gone):
        row.refresh_from_db()
    assert (kept.network, gone.network, gone.network_until) == ("8.8.4.0/24", "", None)
    assert gone.address == ADA
    with refused_by("newsletter_consent_only_grows"):
        Consent.objects.filter(pk=kept.pk).update(network="", network_until=None)
