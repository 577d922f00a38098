"""Other calendars' busy times, fetched by address and read.

The coach types the address, so it may point anywhere: `coaching_site.fetching` asks public servers
only. An address is a secret, like a password: nothing here puts it, or what the server says, into a
message or a log.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings

from booking.busy_times import Parsed
from booking.slots import Interval
from coaching_site import fetching
from coaching_site.fetching import Check, NotFetched, Resolver, Why

MOST_BYTES = 5 * 1024 * 1024
# What a server gives us to hand back next time; longer ones are cut and will simply not match.
MOST_VALIDATOR = 200
SCHEMES = {**fetching.SCHEMES, "webcal": "https", "webcals": "https"}

TOO_SLOW = "Der Kalender hat nicht rechtzeitig geantwortet."
UNREADABLE = "Der Kalender ist nicht lesbar."
FAILURES = {
    Why.NOT_AN_ADDRESS: "Das ist keine Adresse eines Kalenders. Sie beginnt mit https:// oder webcal://.",
    Why.WITH_LOGIN: "Die Adresse darf keinen Benutzernamen und kein Kennwort enthalten.",
    Why.NOT_PUBLIC: "Diese Adresse führt in ein privates Netz und wird nicht gelesen.",
    Why.NO_SUCH_HOST: "Den Server dieser Adresse gibt es nicht.",
    Why.UNREACHABLE: "Der Server des Kalenders ist nicht erreichbar.",
    Why.CERTIFICATE: "Die sichere Verbindung zum Kalender kam nicht zustande (Zertifikat).",
    Why.TOO_SLOW: TOO_SLOW,
    Why.MOVES_ON: "Der Kalender leitet zu oft um.",
    Why.UNENCRYPTED: "Der Kalender leitet auf eine unverschlüsselte Adresse um.",
    Why.TOO_BIG: "Der Kalender ist größer als 5 MB.",
    Why.INCOMPLETE: "Der Kalender kam nicht vollständig an.",
    Why.UNREADABLE: UNREADABLE,
}
ANSWERS = {
    401: "Der Kalender verlangt eine Anmeldung. Nimm seine geheime Adresse, die ohne auskommt.",
    403: "Der Kalender verweigert die Auskunft. Vielleicht ist er nicht mehr freigegeben.",
    404: "Unter dieser Adresse gibt es keinen Kalender mehr.",
    410: "Unter dieser Adresse gibt es keinen Kalender mehr.",
}


class FeedFailed(Exception):
    """A feed could not be read. The message is a sentence for the coach, without the address."""


@dataclass(frozen=True)
class Answer:
    """What a server said. Without content nothing has changed since last time."""

    content: bytes | None
    etag: str = ""
    last_modified: str = ""


def checked_url(text: str) -> str:
    """The address in the form it is asked in. Raises FeedFailed when it is none, or private."""
    try:
        parts = fetching.address(text, schemes=SCHEMES)
    except NotFetched as failure:
        raise _failed(failure) from None
    if fetching.leads_home(parts):
        raise FeedFailed(FAILURES[Why.NOT_PUBLIC])
    return parts.geturl()


def fetch(
    url: str,
    *,
    deadline: float,
    etag: str = "",
    last_modified: str = "",
    allowed: Check = fetching.is_public,
    resolve: Resolver = fetching.system_resolver,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Ask for a calendar until `deadline`, a moment of the monotonic clock. Raises FeedFailed."""
    headers = {"Accept": "text/calendar, */*;q=0.1"}
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = last_modified
    try:
        answer = fetching.get(
            url,
            deadline=deadline,
            most_bytes=MOST_BYTES,
            headers=headers,
            schemes=SCHEMES,
            allowed=allowed,
            resolve=resolve,
            tls=tls,
        )
    except NotFetched as failure:
        raise _failed(failure) from None
    if answer.status == 304 and (etag or last_modified):
        return Answer(None)
    if answer.status != 200:
        otherwise = f"Der Server des Kalenders meldet Fehler {answer.status}."
        raise FeedFailed(ANSWERS.get(answer.status, otherwise))
    return Answer(
        answer.content,
        (answer.headers["ETag"] or "")[:MOST_VALIDATOR],
        (answer.headers["Last-Modified"] or "")[:MOST_VALIDATOR],
    )


def read(
    content: bytes,
    *,
    zone: ZoneInfo,
    first: datetime,
    last: datetime,
    own: Collection[str],
    deadline: float,
) -> Parsed:
    """The busy times in a calendar file, read by a process of its own. Raises FeedFailed."""
    wanted = {
        "zone": zone.key,
        "first": first.isoformat(),
        "last": last.isoformat(),
        "own": sorted(own),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "booking.busy_times"],
            input=json.dumps(wanted).encode() + b"\n" + content,
            capture_output=True,
            timeout=max(0.0, deadline - time.monotonic()),
            cwd=settings.BASE_DIR,
            env={"PYTHONUTF8": "1"},  # none of the site's secrets
            check=True,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise FeedFailed(TOO_SLOW) from None
    except (subprocess.CalledProcessError, ValueError):
        raise FeedFailed(UNREADABLE) from None
    if "error" in answer:
        raise FeedFailed(answer["error"])
    busy = [
        Interval(datetime.fromisoformat(start), datetime.fromisoformat(end))
        for start, end in answer["busy"]
    ]
    return Parsed(busy, answer["warnings"])


def _failed(failure: NotFetched) -> FeedFailed:
    detail = f" ({failure.detail})" if failure.detail else ""
    return FeedFailed(FAILURES[failure.why] + detail)
