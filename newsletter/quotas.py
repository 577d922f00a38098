"""How many mails one mailbox may be sent for what is typed into our forms. Nobody is told.

To be told would tell whether the address is on the list. Counted before the transaction of what is
asked for, never inside (`limits.hit`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from coaching_site import limits
from newsletter.addresses import Address
from newsletter.subscriptions import MAIL_PAUSE

DAY = timedelta(days=1)
# Whatever is typed into whichever form: so many answers may one mailbox get in a day.
MAILS_AN_ADDRESS = 5


def may_answer(address: Address, *, now: datetime) -> bool:
    """Whether this mailbox may get one more mail today."""
    return _within("newsletter.address", address, limit=MAILS_AN_ADDRESS, per=DAY, now=now)


def may_send(kind: str, address: Address, *, now: datetime) -> bool:
    """The same, and a mail of this kind not again within a quarter of an hour."""
    is_early = not _within(f"newsletter.{kind}", address, limit=1, per=MAIL_PAUSE, now=now)
    return may_answer(address, now=now) and not is_early


def _within(scope: str, address: Address, *, limit: int, per: timedelta, now: datetime) -> bool:
    try:
        limits.hit(scope, address.key, limit=limit, per=per, now=now)
    except limits.TooMany:
        return False
    return True
