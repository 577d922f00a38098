"""What the tests of the coach's desk have in common."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from booking import checkout, invoicing
from booking.models import Booking, CallType
from coaching_site.german import NBSP
from tests.booking.conftest import hold
from tests.stripe_sandbox import Sandbox


def words(response: Any) -> str:
    """The page as text to look for sentences in, with plain spaces."""
    return " ".join(response.content.decode().replace(NBSP, " ").replace("&nbsp;", " ").split())


def pay(
    call_type: CallType,
    stripe: Sandbox,
    now: datetime,
    *,
    come_back: bool = True,
    **changes: object,
) -> Booking:
    """A booking that is paid for; who does not come back has paid and is not booked yet."""
    booking = hold(call_type, now=now, **changes)
    checkout.begin(booking, now=now)
    stripe.pay(stripe.sessions[-1]["id"])
    return checkout.look(booking, now=now) if come_back else booking


def pay_and_bill(call_type: CallType, stripe: Sandbox, now: datetime) -> Booking:
    """A booking that is paid for, with the invoice of its payment."""
    booking = pay(call_type, stripe, now)
    invoicing.write_all_owed(now=now)
    return booking


def staff(client: Client, *permissions: str) -> Client:
    """Somebody at the desk who may do just this, by codenames."""
    user = get_user_model().objects.create_user("helfer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)
