"""What mail providers tell by webhook, in the shapes their documentation shows."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client

from newsletter import return_paths
from newsletter.models import Delivery, Feedback
from tests.newsletter.conftest import ADA, MINUTES
from tests.newsletter.deliveries import sent

SECRET = "praxis:a-long-enough-password"
KEY = "mailgun-signing-key"


@pytest.fixture
def delivery(reader, now) -> Delivery:
    return sent(reader, now + 2 * MINUTES)


@pytest.fixture
def post(settings, db) -> Callable[..., int]:
    """Posts an event as a provider does, with the secret; returns the answer's status."""
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET, "MAILGUN_WEBHOOK_SIGNING_KEY": KEY}
    # A provider brings neither cookie nor token along.
    client = Client(enforce_csrf_checks=True)

    def run(provider: str, event: object, *, secret: str = SECRET) -> int:
        header = "Basic " + base64.b64encode(secret.encode()).decode()
        response = client.post(
            f"/anymail/{provider}/tracking/",
            event,
            content_type="application/json",
            headers={"Authorization": header},
        )
        assert not response.cookies
        return response.status_code

    return run


def postmark(**values: object) -> dict[str, object]:
    return {
        "RecordType": "Bounce",
        "MessageStream": "broadcast",
        "ID": 4711,
        "Type": "HardBounce",
        "TypeCode": 1,
        "Name": "Hard bounce",
        "Tag": "",
        "MessageID": "00000000-0000-0000-0000-000000000001",
        "Metadata": {},
        "ServerID": 1,
        "Description": "The server was unable to deliver your message.",
        "Details": "smtp;550 5.1.1 The email account does not exist",
        "Email": ADA,
        "From": "post@praxis.example",
        "BouncedAt": "2027-03-02T08:00:00Z",
        "DumpAvailable": False,
        "Inactive": True,
        "CanActivate": True,
        "Subject": "Ausgabe",
        **values,
    }


def mailgun(message_id: str = "", **values: object) -> dict[str, object]:
    stamp, token = "1803974400", "t" * 50
    signed = hmac.new(KEY.encode(), f"{stamp}{token}".encode(), hashlib.sha256)
    return {
        "signature": {"timestamp": stamp, "token": token, "signature": signed.hexdigest()},
        "event-data": {
            "event": "failed",
            "severity": "permanent",
            "reason": "bounce",
            "id": "e-1",
            "timestamp": 1803974400.5,
            "log-level": "error",
            "recipient": ADA,
            "delivery-status": {
                "attempt-no": 1,
                "code": 550,
                "message": "5.1.1 No such user",
                "description": "",
            },
            "message": {"headers": {"message-id": message_id.strip("<>"), "to": ADA}},
            "tags": [],
            "user-variables": {},
            **values,
        },
    }


def brevo(**values: object) -> dict[str, object]:
    return {
        "id": 1,
        "event": "hard_bounce",
        "email": ADA,
        "date": "2027-03-02 09:00:00",
        "ts": 1803974400,
        "ts_event": 1803974400,
        "ts_epoch": 1803974400000,
        "message-id": "<202703020800.1@smtp-relay.example>",
        "subject": "Ausgabe",
        "sending_ip": "192.0.2.7",
        "reason": "",
        **values,
    }


def kinds() -> list[str]:
    return list(Feedback.objects.order_by("pk").values_list("kind", flat=True))


# --- who may speak ---


@pytest.mark.parametrize("provider", ["postmark", "brevo", "mailgun"])
def test_without_a_secret_there_is_no_such_page(post, settings, provider, db):
    settings.ANYMAIL = {"WEBHOOK_SECRET": "", "MAILGUN_WEBHOOK_SIGNING_KEY": KEY}

    assert post(provider, postmark()) == 404
    assert not Feedback.objects.exists()


def test_without_its_key_there_is_no_page_for_mailgun(post, settings):
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET, "MAILGUN_WEBHOOK_SIGNING_KEY": ""}

    assert post("mailgun", mailgun()) == 404
    assert post("elsewhere", postmark()) == 404


def test_whoever_does_not_know_the_secret_is_refused(post, delivery):
    assert post("postmark", postmark(), secret="praxis:guessed") == 400
    assert not Feedback.objects.exists()


def test_mailgun_must_sign_as_well(post, delivery):
    event = mailgun()
    event["signature"]["signature"] = "0" * 64

    assert post("mailgun", event) == 400
    assert not Feedback.objects.exists()


def test_nothing_is_read_with_get(post, client, settings):
    assert client.get("/anymail/postmark/tracking/").status_code == 405


# --- what it means ---


def test_postmark_s_hard_bounce_makes_unreachable(post, reader, delivery):
    assert post("postmark", postmark(BouncedAt="2020-01-02T08:00:00Z")) == 200

    reader.refresh_from_db()
    delivery.refresh_from_db()
    noted = Feedback.objects.get()
    assert (noted.source, noted.event_id) == ("anymail.Postmark", "4711")
    assert (noted.kind, noted.code) == ("hard", "550 5.1.1")
    assert noted.at == datetime(2020, 1, 2, 8, tzinfo=UTC)
    assert (delivery.bounce, reader.unreachable_since is not None) == ("hard", True)


@pytest.mark.parametrize(
    ("provider", "event"), [("postmark", postmark()), ("mailgun", mailgun()), ("brevo", brevo())]
)
def test_a_repetition_is_answered_with_200_and_changes_nothing(post, delivery, provider, event):
    assert [post(provider, event), post(provider, event)] == [200, 200]

    assert Feedback.objects.count() == 1


def test_mailgun_s_bounce_is_matched_by_our_message_id(post, reader, now):
    older = sent(reader, now + 2 * MINUTES)
    sent(reader, now + 3 * MINUTES)

    assert post("mailgun", mailgun(return_paths.message_id(older.pk))) == 200

    assert Feedback.objects.get().delivery == older


def test_without_our_message_id_it_is_the_newest_mail_to_that_address(post, reader, now):
    sent(reader, now + 2 * MINUTES)
    newest = sent(reader, now + 3 * MINUTES)

    post("mailgun", mailgun("somebody-else@elsewhere.example"))

    assert Feedback.objects.get().delivery == newest


@pytest.mark.parametrize(
    ("provider", "event", "kind"),
    [
        # the mail server's own code decides
        ("postmark", postmark(Details="smtp;550 5.7.1 spam"), "policy"),
        ("postmark", postmark(Details="smtp;552 5.2.2 mailbox full"), "soft"),
        ("postmark", postmark(Type="SoftBounce", Details="smtp;550 5.1.1 gone"), "hard"),
        ("brevo", brevo(event="soft_bounce", reason="452 4.2.2 over quota"), "soft"),
        # where it says nothing, the provider's word
        ("postmark", postmark(Details=""), "hard"),
        ("postmark", postmark(Type="SoftBounce", Details=""), "soft"),
        ("brevo", brevo(), "hard"),
        ("brevo", brevo(event="soft_bounce"), "soft"),
        ("brevo", brevo(event="invalid_email"), "hard"),
        ("brevo", brevo(event="blocked"), "policy"),
        ("postmark", postmark(Type="Blocked"), "policy"),
        ("postmark", postmark(Type="ManuallyDeactivated"), "policy"),
        ("postmark", postmark(Type="Unconfirmed", Details=""), "other"),
        (
            "mailjet",
            {
                "event": "bounce",
                "email": ADA,
                "time": 1803974400,
                "hard_bounce": True,
                "error": "user unknown",
                "comment": "",
            },
            "hard",
        ),
        (
            "mailjet",
            {
                "event": "bounce",
                "email": ADA,
                "time": 1803974400,
                "hard_bounce": False,
                "error": "quota exceeded",
                "comment": "",
            },
            "soft",
        ),
        (
            "sparkpost",
            [
                {
                    "msys": {
                        "message_event": {
                            "type": "bounce",
                            "bounce_class": "10",
                            "event_id": "1",
                            "timestamp": "1803974400",
                            "raw_rcpt_to": ADA,
                            "raw_reason": "550 unknown",
                        }
                    }
                }
            ],
            "hard",
        ),
        (
            "sparkpost",
            [
                {
                    "msys": {
                        "message_event": {
                            "type": "bounce",
                            "bounce_class": "51",
                            "event_id": "2",
                            "timestamp": "1803974400",
                            "raw_rcpt_to": ADA,
                            "raw_reason": "550 spam",
                        }
                    }
                }
            ],
            "policy",
        ),
        (
            "sparkpost",
            [
                {
                    "msys": {
                        "message_event": {
                            "type": "bounce",
                            "bounce_class": "22",
                            "event_id": "3",
                            "timestamp": "1803974400",
                            "raw_rcpt_to": ADA,
                            "raw_reason": "552 full",
                        }
                    }
                }
            ],
            "soft",
        ),
    ],
)
def test_a_bounce_is_judged_by_code_and_reason(post, delivery, provider, event, kind):
    assert post(provider, event) == 200

    assert kinds() == [kind]


@pytest.mark.parametrize(
    ("provider", "event"),
    [
        ("postmark", postmark(RecordType="SpamComplaint", Type="SpamComplaint", Details="")),
        ("mailgun", mailgun(event="complained")),
        ("brevo", brevo(event="spam")),
    ],
)
def test_a_complaint_ends_the_subscription(post, reader, delivery, provider, event):
    assert post(provider, event) == 200

    reader.refresh_from_db()
    assert (kinds(), reader.status) == (["complaint"], "unsubscribed")


@pytest.mark.parametrize(
    ("provider", "event"),
    [
        (
            "postmark",
            postmark(
                RecordType="SubscriptionChange",
                Recipient=ADA,
                SuppressSending=True,
                SuppressionReason="ManualSuppression",
            ),
        ),
        ("mailgun", mailgun(event="unsubscribed")),
        ("brevo", brevo(event="unsubscribe")),
    ],
)
def test_whoever_leaves_at_the_provider_leaves_here(post, reader, delivery, provider, event):
    assert post(provider, event) == 200

    reader.refresh_from_db()
    assert (kinds(), reader.status) == (["left"], "unsubscribed")


@pytest.mark.parametrize(
    ("provider", "event"),
    [
        ("postmark", postmark(Type="Transient")),
        ("postmark", postmark(Type="AutoResponder")),
        (
            "postmark",
            {
                "RecordType": "Delivery",
                "Recipient": ADA,
                "MessageID": "1",
                "DeliveredAt": "2027-03-02T08:00:00Z",
            },
        ),
        (
            "postmark",
            {
                "RecordType": "Open",
                "Recipient": ADA,
                "MessageID": "1",
                "ReceivedAt": "2027-03-02T08:00:00Z",
            },
        ),
        ("mailgun", mailgun(severity="temporary")),
        ("mailgun", mailgun(event="opened")),
        ("brevo", brevo(event="delivered")),
        ("brevo", brevo(event="click")),
    ],
)
def test_what_is_no_bounce_is_not_even_kept(post, reader, delivery, provider, event):
    assert post(provider, event) == 200

    reader.refresh_from_db()
    assert (kinds(), reader.status, reader.unreachable_since) == ([], "confirmed", None)


def test_an_address_nobody_knows_is_kept_without_meaning(post, reader):
    assert post("postmark", postmark(Email="bob@leser.example")) == 200

    noted = Feedback.objects.get()
    assert (noted.kind, noted.subscriber, noted.delivery) == ("other", None, None)


def test_no_address_is_kept_with_an_event(post, reader, delivery):
    post("brevo", brevo())
    post("mailgun", mailgun())

    for noted in Feedback.objects.all():
        assert "ada" not in f"{noted.event_id}{noted.code}{noted.source}"
