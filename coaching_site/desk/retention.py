"""What the periods promise, carried out: every day by a job, or by hand with `manage.py retention`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import cast

from django.db import transaction
from django.utils.module_loading import import_string

from coaching_site import periods
from coaching_site.periods import Period

logger = logging.getLogger(__name__)

Enforce = Callable[..., int]


def rule_of(period: Period) -> Enforce | None:
    """The function that enforces a period; None where the operator's machine does."""
    return cast("Enforce", import_string(period.enforced_by)) if period.enforced_by else None


def carry_out(*, now: datetime) -> dict[str, int]:
    """Delete and blank all whose time is over; returns how many of each.

    Twice does no harm. One rule that fails keeps no other from its work; the first failure is
    raised at the end.
    """
    done: dict[str, int] = {}
    failures: list[Exception] = []
    for period in periods.ALL:
        rule = rule_of(period)
        if rule is None:
            continue
        try:
            done[period.what] = rule(now=now)
        except Exception as failure:
            logger.exception("The rule %s failed.", period.enforced_by)
            failures.append(failure)
    if failures:
        raise failures[0]
    return done


def rehearse(*, now: datetime) -> dict[str, int]:
    """What `carry_out` would do now; nothing of it stays."""
    with transaction.atomic():
        done = carry_out(now=now)
        transaction.set_rollback(True)
    return done
