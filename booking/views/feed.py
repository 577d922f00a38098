"""The coach's own calendar feed, behind an address that is the key."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from django.views.decorators.http import require_safe

from booking import mail
from booking.models import Calendar

SECOND = timedelta(seconds=1)


@require_safe
def feed(request: HttpRequest, secret: str) -> HttpResponse:
    now = timezone.now()
    calendar = Calendar.objects.all().with_feed(secret)
    if calendar is None:
        raise Http404
    content = mail.feed_file(calendar, now=now)
    etag = hashlib.sha256(content).hexdigest()
    changed_at = int(_changed_at(calendar, etag, now).timestamp())
    answer = HttpResponse(
        content,
        content_type="text/calendar; charset=utf-8",
        headers={
            "ETag": f'"{etag}"',
            "Last-Modified": http_date(changed_at),
            "Cache-Control": "private, no-cache",
            "X-Robots-Tag": "noindex, nofollow",
            "Referrer-Policy": "no-referrer",
        },
    )
    return get_conditional_response(request, f'"{etag}"', changed_at, answer) or answer


def _changed_at(calendar: Calendar, etag: str, now: datetime) -> datetime:
    """Since when the feed says what it says: nobody has to remember to note a change.

    Later than any time given before, as HTTP counts whole seconds.
    """
    before = calendar.feed_changed_at
    if calendar.feed_etag == etag and before is not None:
        return before
    changed_at = now.replace(microsecond=0)
    if before is not None:
        changed_at = max(changed_at, before + SECOND)
    Calendar.objects.filter(pk=calendar.pk, feed_etag=calendar.feed_etag).update(
        feed_etag=etag, feed_changed_at=changed_at
    )
    return changed_at
