"""What mail providers tell by webhook, for whoever sends through one: bounces, complaints.

Django-anymail reads the providers' formats and checks the shared secret. It speaks by a signal, the
only one in this house that anything listens to; what is heard goes to a rule at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from anymail.signals import tracking as told
from anymail.webhooks.base import AnymailBaseWebhookView
from anymail.webhooks.brevo import BrevoTrackingWebhookView
from anymail.webhooks.mailgun import MailgunTrackingWebhookView
from anymail.webhooks.mailjet import MailjetTrackingWebhookView
from anymail.webhooks.postmark import PostmarkTrackingWebhookView
from anymail.webhooks.sparkpost import SparkPostTrackingWebhookView
from django.conf import settings
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from newsletter import dsn, feedback, return_paths
from newsletter.dsn import What
from newsletter.models import Feedback

# Those that relay by SMTP and need no package and no API of theirs. Amazon SES returns its bounces by
# mail, which the inbox reads.
PROVIDERS: Mapping[str, type[AnymailBaseWebhookView]] = {
    "brevo": BrevoTrackingWebhookView,
    "mailgun": MailgunTrackingWebhookView,
    "mailjet": MailjetTrackingWebhookView,
    "postmark": PostmarkTrackingWebhookView,
    "sparkpost": SparkPostTrackingWebhookView,
}


# Providers post without cookie and CSRF token; the secret in the address is their permission.
@csrf_exempt
def tracking(request: HttpRequest, provider: str) -> HttpResponseBase:
    """400: forged. 200: heard, or nothing for us. 500: they repeat it; hearing it twice is harmless.

    Without a secret there is no such page.
    """
    view, secrets = PROVIDERS.get(provider), settings.ANYMAIL
    is_signed = provider != "mailgun" or secrets["MAILGUN_WEBHOOK_SIGNING_KEY"]
    if view is None or not secrets["WEBHOOK_SECRET"] or not is_signed:
        raise Http404
    answer: HttpResponseBase = view.as_view()(request)
    return answer


@receiver(told)
def hear(event: AnymailTrackingEvent, esp_name: str, **kwargs: object) -> None:
    """Hand over what is about a mailbox; delivered, opened and the like are of no interest here."""
    del kwargs
    verdict = _verdict(event)
    if verdict is None:
        return
    kind, code = verdict
    now = timezone.now()
    named = return_paths.read(event.message_id or "")
    feedback.record(
        source=f"anymail.{esp_name}",
        event_id=_identity(event),
        kind=kind,
        code=code,
        at=min(event.timestamp or now, now),
        now=now,
        delivery=named[1] if named else None,
        address=event.recipient,
    )


def _verdict(event: AnymailTrackingEvent) -> tuple[Feedback.Kind, str] | None:
    if event.event_type == EventType.COMPLAINED:
        return Feedback.Kind.COMPLAINT, ""
    if event.event_type == EventType.UNSUBSCRIBED:
        return Feedback.Kind.LEFT, ""
    if event.event_type not in (EventType.BOUNCED, EventType.REJECTED):
        return None
    what, code = dsn.classify(event.mta_response or "")
    return _bounce(event, what, code), code


def _bounce(event: AnymailTrackingEvent, what: What, code: str) -> Feedback.Kind:
    """By the mail server's own code; by the provider's word where that says nothing."""
    match event.reject_reason:
        case RejectReason.BLOCKED | RejectReason.SPAM:
            # „Spam“ is also what a server calls a mail it does not like. That is no complaint.
            return Feedback.Kind.POLICY
        case RejectReason.UNSUBSCRIBED:
            return Feedback.Kind.LEFT
        case RejectReason.INVALID:
            return Feedback.Kind.HARD
        case RejectReason.TIMED_OUT:
            return Feedback.Kind.SOFT
    has_no_telling_code = "." not in code
    if what is What.SOFT and has_no_telling_code and _is_called_hard(event.esp_event):
        return Feedback.Kind.HARD
    if event.event_type == EventType.REJECTED and not code:
        return Feedback.Kind.OTHER
    return Feedback.Kind(what.value)


def _is_called_hard(told: Mapping[str, object]) -> bool:
    """Brevo's „hard_bounce“, Postmark's „HardBounce“, Mailjet's hard_bounce: true."""
    names = f"{told.get('event')} {told.get('Type')}".lower()
    return "hard" in names or told.get("hard_bounce") is True


def _identity(event: AnymailTrackingEvent) -> str:
    """The provider's number of the event, or its content's hash; both tell nothing of anybody."""
    if event.event_id:
        return str(event.event_id)[:200]
    parts = (event.event_type, event.message_id, event.recipient, event.timestamp)
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()
