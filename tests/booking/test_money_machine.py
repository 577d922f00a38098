"""Guests, the coach, Stripe, the bank and the network do whatever comes to mind, and no money is lost.

The machine is Hypothesis': a random walk over the real pages, the real rules, the real library and
a Stripe that keeps its own books. What has to hold is in `money_invariants`. A few walks, always the
same, run with the other tests; SOAK_EXAMPLES asks for that many fresh ones. Each control takes one
rule away and expects the walks to find out.
"""

from __future__ import annotations

import inspect
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from itertools import count
from random import Random
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
import stripe
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from booking import (
    availability,
    cancellation,
    checkout,
    deposits,
    invoice_pdf,
    invoicing,
    mail,
    scheduling,
    stripe_gateway,
)
from booking.errors import BookingError, NothingToRefund, PaymentsAway, PaymentsRefused
from booking.models import (
    Alarm,
    Booking,
    Calendar,
    CallType,
    Deposit,
    Notification,
    OneOffLink,
    Refund,
    StripeEvent,
    WeeklyHours,
)
from booking.models.payments import DepositQuerySet
from booking.scheduling import Guest
from coaching_site import spam, tracing
from coaching_site.desk.models import Hits
from tests.booking.conftest import PRIVATELY, new_type, order_form, point_to
from tests.booking.money_invariants import problems, settle_down
from tests.booking.papers import practice
from tests.stripe_sandbox import Sandbox
from tests.stripe_sandbox.errors import StripeError
from tests.stripe_sandbox.spec import Json

pytestmark = pytest.mark.django_db

SOAK = os.environ.get("SOAK_EXAMPLES")
MONDAY = datetime(2027, 3, 1, 7, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LENGTH, MOST_WALKS = 12, 20
# What a visitor may be answered. 503 says that Stripe is away and what is left to do.
ANSWERS = {200, 302, 303, 404, 409, 410, 422, 429, 503}
ROWS = (
    Notification, Alarm, Refund, Deposit, StripeEvent, Booking, OneOffLink, CallType, WeeklyHours,
    Calendar, ProcrastinateJob,
)  # fmt: skip
# Hypothesis leans toward small numbers, and everybody would want the first offer.
picks = st.integers(0, 2**32).map(lambda seed: Random(seed).randrange(10_000))
ways = st.sampled_from(
    ["POST /v1/checkout/sessions", "POST */expire", "POST /v1/refunds", "GET *", "*"]
)


class MoneyMachine(RuleBasedStateMachine):
    """One calendar, one Stripe, a clock for each, and everybody who ever paid."""

    stripe: ClassVar[Sandbox]
    patch: ClassVar[pytest.MonkeyPatch]

    def __init__(self) -> None:
        super().__init__()
        with connection.cursor() as cursor:
            # No invoice can be deleted, but a table of the tests' own can be emptied.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(
                "TRUNCATE booking_invoice, booking_invoicesequence, booking_order,"
                " booking_billingaddress CASCADE"
            )
            for model in ROWS:
                cursor.execute(f"DELETE FROM {model._meta.db_table}")
        self.stripe.reset()
        self.skew = timedelta(0)
        self.calendar = Calendar.objects.create(name="Hauptkalender")
        WeeklyHours.objects.bulk_create(
            WeeklyHours(calendar=self.calendar, weekday=day, start=time(9), end=time(12))
            for day in range(1, 6)
        )
        self.browser = Client()
        self.numbers = count()
        # The pages at Stripe that guests were sent to; a tab stays open for ever.
        self.tabs: list[str] = []
        self.has_failed = False
        # The bookings as they were after the last step, to choose the next one by.
        self.seen: list[Booking] = []

    @initialize(pick=picks)
    def two_kinds_of_call(self, pick: int) -> None:
        """Few times, so that people want the same, and all terms that money knows."""
        terms = {"cancel_free_hours": 24, "cancel_keep_cents": 1000, "cancel_keep_percent": 25}
        paid = {"price_cents": 30000, "deposit_cents": 15000, "length": 60, "step": 60}
        whole = {"price_cents": 9000, "length": 30, "step": 30, "buffer_after": 15}
        self.types = [
            new_type(self.calendar, slug="sparring", notice=0, horizon_days=1, **paid, **terms),
            new_type(self.calendar, slug="kurz", notice=0, horizon_days=1, **whole),
        ]
        self.link = OneOffLink.objects.create(call_type=self.types[0], max_uses=2)
        for _ in range(2):
            self.hold(pick, pick)
        self.book_and_pay(pick, "webhook")

    # --- time -------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """What the site's clock shows; it may be some seconds before or after Stripe's."""
        return datetime.fromtimestamp(self.stripe.now, UTC) + self.skew

    @rule(minutes=st.sampled_from([1, 3, 14, 16, 30, 32, 36, 300, 1440]))
    def let_time_pass(self, minutes: int) -> None:
        self.stripe.advance(minutes * 60)

    def set_clock(self) -> None:
        now = self.now
        self.patch.setattr("django.utils.timezone.now", lambda: now)

    @rule(seconds=st.integers(-20, 20))
    def clocks_differ(self, seconds: int) -> None:
        self.skew = timedelta(seconds=seconds)

    # --- guests -----------------------------------------------------------------------------------

    @rule(which=picks, choice=picks)
    def hold(self, which: int, choice: int) -> None:
        self.send_details(uuid.uuid4(), f"gast{next(self.numbers)}@example.org", which, choice)

    @precondition(lambda self: any(each.is_unfinished for each in self.seen))
    @rule(pick=picks)
    def change_details(self, pick: int) -> None:
        booking = self.one(self.unfinished(), pick)
        self.details(booking.way, booking.start, booking.form_token, booking.email)

    @precondition(lambda self: any(each.is_unfinished for each in self.seen))
    @rule(pick=picks, which=picks, choice=picks)
    def choose_another_time(self, pick: int, which: int, choice: int) -> None:
        booking = self.one(self.unfinished(), pick)
        self.send_details(booking.form_token, booking.email, which, choice)

    @precondition(lambda self: any(each.is_unfinished for each in self.seen))
    @rule(pick=picks, which=picks, choice=picks)
    def fill_in_a_second_form(self, pick: int, which: int, choice: int) -> None:
        booking = self.one(self.unfinished(), pick)
        self.send_details(uuid.uuid4(), booking.email.upper(), which, choice)

    @precondition(lambda self: any(each.is_unfinished for each in self.seen))
    @rule(pick=picks, again=st.booleans(), presses=st.sampled_from([1, 1, 2]))
    def press_pay(self, pick: int, again: bool, presses: int) -> None:
        for _ in range(presses):
            self.go_to_stripe(self.one(self.unfinished() or self.any(), pick), again=again)

    @precondition(lambda self: self.seen)
    @rule(pick=picks, page=st.sampled_from(["review", "booked", "cancel", "paid", "days"]))
    def look(self, pick: int, page: str) -> None:
        """Also the way back from Stripe, with or without having paid."""
        booking = self.one(self.any(), pick)
        self.get("" if page == "days" else page, booking, sitzung="cs_test_forged")

    @precondition(lambda self: self.tabs)
    @rule(pick=picks, comes_back=st.booleans())
    def pay(self, pick: int, comes_back: bool) -> None:
        session = self.stripe.session(self.one(self.open_tabs() or self.tabs, pick))
        with suppress(StripeError):
            self.stripe.pay(session["id"])
        if comes_back:
            self.browse("GET", urlsplit(session["success_url"]).path)

    @precondition(lambda self: self.open_tabs())
    @rule(pick=picks)
    def be_declined(self, pick: int) -> None:
        self.stripe.decline(self.one(self.open_tabs(), pick))

    @precondition(lambda self: any(each.is_unfinished for each in self.seen))
    @rule(pick=picks)
    def give_up(self, pick: int) -> None:
        self.post("release", self.one(self.unfinished(), pick))

    @precondition(lambda self: any(each.is_confirmed for each in self.seen))
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        self.post("cancel", self.one(self.confirmed(), pick))

    @precondition(lambda self: any(each.is_confirmed for each in self.seen))
    @rule(pick=picks, choice=picks)
    def move(self, pick: int, choice: int) -> None:
        booking = self.one(self.confirmed(), pick)
        offers = availability.offered_slots(booking.call_type, now=self.now, besides=booking)
        if offers:
            start = offers[choice % len(offers)].start
            there = f"/termin/verschieben/{mail.token(booking)}/zeit/{start:%Y%m%dT%H%M%SZ}/"
            self.browse("POST", there)

    # --- what often happens together --------------------------------------------------------------

    @precondition(lambda self: any(each.is_unfinished for each in self.seen))
    @rule(pick=picks, heard=st.sampled_from(["page", "webhook", "job"]))
    def book_and_pay(self, pick: int, heard: str) -> None:
        session = self.go_to_stripe(self.one(self.unfinished(), pick), again=True)
        if session is None or self.stripe.session(session)["status"] != "open":
            return
        paid = self.stripe.pay(session)
        if heard == "page":
            self.browse("GET", urlsplit(paid["success_url"]).path)
        elif heard == "webhook":
            self.deliver(self.stripe.events[-1])
        else:
            self.reconcile()

    @precondition(lambda self: any(each.is_unfinished for each in self.seen))
    @rule(pick=picks, choice=picks, taken=st.booleans())
    def pay_and_be_heard_too_late(self, pick: int, choice: int, taken: bool) -> None:
        """Nothing arrives until the hold has run out, and somebody else may have come."""
        late = self.one(self.unfinished(), pick)
        session = self.go_to_stripe(late, again=True)
        if session is None or self.stripe.session(session)["status"] != "open":
            return
        self.stripe.pay(session)
        self.let_time_pass(36)
        if taken:
            token, email = uuid.uuid4(), f"gast{next(self.numbers)}@example.org"
            if self.details(late.way, late.start, token, email) and choice % 2:
                self.go_to_stripe(Booking.objects.get(form_token=token))
        self.deliver(self.stripe.events[-1])

    @precondition(lambda self: any(each.is_unfinished for each in self.seen))
    @rule(
        pick=picks,
        which=picks,
        choice=picks,
        then=st.sampled_from(["give up", "another time", "second form", "pay again"]),
        lost=st.booleans(),
    )
    def leave_a_tab_open(self, pick: int, which: int, choice: int, then: str, lost: bool) -> None:
        """Go to Stripe, perhaps without getting there, and change one's mind in another tab."""
        booking = self.one(self.unfinished(), pick)
        if lost:
            self.stripe.faults.lose_answer("POST /v1/checkout/sessions", times=2)
        self.go_to_stripe(booking, again=True)
        if then == "give up":
            self.post("release", booking)
        elif then == "pay again":
            self.let_time_pass(16)
            self.go_to_stripe(booking, again=True)
        else:
            token = booking.form_token if then == "another time" else uuid.uuid4()
            self.send_details(token, booking.email, which, choice)

    # --- the coach --------------------------------------------------------------------------------

    @precondition(lambda self: any(each.is_confirmed for each in self.seen))
    @rule(pick=picks)
    def coach_cancels(self, pick: int) -> None:
        cancellation.cancel_by_coach(self.one(self.confirmed(), pick), now=self.now)

    @precondition(lambda self: any(each.is_confirmed for each in self.seen))
    @rule(pick=picks, cents=st.sampled_from([0, 1, 4000, 9000, 15000]))
    def coach_cancels_for_the_guest(self, pick: int, cents: int) -> None:
        booking = self.one(self.confirmed(), pick)
        with suppress(NothingToRefund):
            cancellation.cancel_for_guest(booking, refund_cents=cents, now=self.now)

    @precondition(lambda self: self.stripe.charges)
    @rule(pick=picks, cents=st.sampled_from([1, 4000, 15000, None]))
    def refund_by_hand(self, pick: int, cents: int | None) -> None:
        payments = list(Deposit.objects.paid().order_by("pk"))
        if not payments:
            return
        deposit = self.one(payments, pick)
        wish = deposit.refundable_cents if cents is None else cents
        with suppress(NothingToRefund):
            deposits.refund_by_hand(deposit, wish, by="coach", now=self.now)

    @rule(which=picks, ahead=st.integers(0, 12))
    def book_by_hand(self, which: int, ahead: int) -> None:
        """Where somebody is, next to it, or anywhere."""
        start = MONDAY.replace(hour=8) + timedelta(days=ahead // 7, minutes=30 * (ahead % 7))
        with suppress(BookingError):
            scheduling.book_by_hand(
                self.types[which % 2],
                start=start,
                guest=Guest(name="Bekannt", email=f"gast{next(self.numbers)}@example.org"),
                form_token=uuid.uuid4(),
                now=self.now,
            )

    # --- at Stripe, and at the bank ---------------------------------------------------------------

    @precondition(lambda self: self.charged())
    @rule(pick=picks, cents=st.sampled_from([1, 5000, None]))
    def refund_in_the_dashboard(self, pick: int, cents: int | None) -> None:
        with suppress(StripeError):
            self.stripe.dashboard_refund(self.one(self.charged(), pick), cents)

    @precondition(lambda self: any(each.is_confirmed for each in self.seen))
    @rule(pick=picks, cents=st.sampled_from([1, 5000, None]))
    def cancel_and_refund_in_the_dashboard(self, pick: int, cents: int | None) -> None:
        """Ours still waits for Stripe when the coach loses patience."""
        booking = self.one(self.confirmed(), pick)
        cancellation.cancel_by_coach(booking, now=self.now)
        paid = booking.deposits.paid().first()
        if paid is not None:
            with suppress(StripeError):
                self.stripe.dashboard_refund(paid.payment_intent, cents)

    @precondition(lambda self: self.charged())
    @rule(pick=picks)
    def dispute(self, pick: int) -> None:
        charge = self.one(self.charged(), pick)
        if all(each["payment_intent"] != charge for each in self.stripe.disputes):
            self.stripe.open_dispute(charge)

    @precondition(lambda self: self.stripe.disputes)
    @rule(pick=picks, won=st.booleans())
    def end_dispute(self, pick: int, won: bool) -> None:
        with suppress(StripeError):
            self.stripe.close_dispute(self.one(self.stripe.disputes, pick)["id"], won=won)

    @rule(how=st.sampled_from(["well", "refused", "pending", "pending"]))
    def refunds_go(self, how: str) -> None:
        self.stripe.faults.allow_refunds()
        if how == "refused":
            self.stripe.faults.refuse_refunds("insufficient_funds")
        elif how == "pending":
            self.stripe.faults.hold_refunds()

    @precondition(lambda self: self.stripe.refunds)
    @rule(pick=picks, arrives=st.booleans())
    def end_refund(self, pick: int, arrives: bool) -> None:
        self.end_refund_of(self.one(self.stripe.refunds, pick)["id"], arrives=arrives)

    def end_refund_of(self, refund: str, *, arrives: bool) -> None:
        with suppress(StripeError):
            (self.stripe.refund_succeeds if arrives else self.stripe.refund_fails)(refund)

    @precondition(lambda self: self.stripe.charges)
    @rule(pick=picks, waits=st.booleans(), arrives=st.booleans())
    def a_refund_takes_its_time(self, pick: int, waits: bool, arrives: bool) -> None:
        """Its events come the wrong way round."""
        payments = list(Deposit.objects.paid().order_by("pk"))
        if not payments:
            return
        if waits:
            self.stripe.faults.hold_refunds()
        with suppress(NothingToRefund, PaymentsAway):
            paid = self.one(payments, pick)
            refund = deposits.refund_by_hand(paid, 100, by="coach", now=self.now)
            deposits.send(refund, now=self.now)
            refund.refresh_from_db()
            if refund.stripe_id:
                self.end_refund_of(refund.stripe_id, arrives=arrives)
                for event in self.stripe.events[-1:-7:-1]:
                    self.deliver(event)
        self.stripe.faults.allow_refunds()

    @precondition(lambda self: self.stripe.charges)
    @rule(pick=picks)
    def refunds_get_lost(self, pick: int) -> None:
        """The money leaves, but nobody hears of it; the job asks again."""
        self.refund_by_hand(pick, 100)
        self.stripe.faults.lose_answer("POST /v1/refunds", times=2)
        self.reconcile()
        self.reconcile()

    @rule(changes=st.sampled_from([{"amount_total": 14900}, {"currency": "usd"}]))
    def tamper(self, changes: dict[str, Any]) -> None:
        self.stripe.faults.tamper(**changes)

    @rule(
        on=ways,
        kind=st.sampled_from(["lose_answer", "reset", "rate_limit", "server_error"]),
        times=st.sampled_from([1, 2, 2, 3]),
        after=st.booleans(),
    )
    def something_goes_wrong(self, on: str, kind: str, times: int, after: bool) -> None:
        more = {"after": after} if kind == "server_error" else {}
        getattr(self.stripe.faults, kind)(on, times, **more)

    # --- webhooks ---------------------------------------------------------------------------------

    @precondition(lambda self: self.stripe.pending)
    @rule(seed=picks, most=st.integers(1, 8))
    def deliver_in_any_order(self, seed: int, most: int) -> None:
        events = self.stripe.pending
        Random(seed).shuffle(events)
        for event in events[:most]:
            self.deliver(event)

    @precondition(lambda self: self.stripe.events)
    @rule(pick=picks)
    def deliver_once_more(self, pick: int) -> None:
        self.deliver(self.one(self.stripe.events, pick))

    @precondition(lambda self: self.stripe.pending)
    @rule(pick=picks)
    def drop(self, pick: int) -> None:
        self.stripe.drop(self.one(self.stripe.pending, pick))

    @precondition(lambda self: self.stripe.events)
    @rule(pick=picks)
    def forge(self, pick: int) -> None:
        event = self.one(self.stripe.events, pick)
        self.set_clock()
        assert self.stripe.deliver(event, secrets=["whsec_forged"]).status == 400

    # --- jobs -------------------------------------------------------------------------------------

    @rule()
    def reconcile(self) -> None:
        checkout.reconcile(now=self.now)

    @rule()
    def write_invoices(self) -> None:
        invoicing.write_all_owed(now=self.now)

    @rule()
    def free_expired_holds(self) -> None:
        scheduling.free_expired_holds(now=self.now)

    @rule(most=st.integers(1, 6))
    def work_off_the_queue(self, most: int) -> None:
        """As a worker does; what fails is left to the job that reconciles."""
        self.set_clock()
        for job in ProcrastinateJob.objects.filter(status="todo").order_by("id")[:most]:
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM procrastinate_jobs WHERE id = %s", [job.id])
            with suppress(PaymentsAway, PaymentsRefused):
                app.tasks[job.task_name](**tracing.without_request(job.args))

    # --- what has to hold -------------------------------------------------------------------------

    @invariant()
    def all_is_well(self) -> None:
        self.seen = self.any()
        self.expect(problems(self.stripe, self.now, settled=False))

    def teardown(self) -> None:
        """Stripe is well again, everything arrives, the jobs run: then both books are the same."""
        if self.has_failed:
            return
        self.stripe.faults.clear()
        for minutes in (0, 40):
            self.stripe.advance(minutes * 60)
            for event in self.stripe.pending:
                assert self.deliver(event) == 200
            settle_down(self.stripe, self.now)
            self.expect(problems(self.stripe, self.now))

    def expect(self, found: list[str]) -> None:
        self.has_failed = bool(found)
        if found:
            raise AssertionError("\n".join(found))

    # --- helpers ----------------------------------------------------------------------------------

    def go_to_stripe(self, booking: Booking, *, again: bool = False) -> str | None:
        """Press the button; the session whose page the guest sees then, if it came to that."""
        booking.refresh_from_db()
        sent = order_form(booking) | ({"erneut": "1"} if again else {})
        answer = self.post("review", booking, **sent)
        if answer.status_code != 303:
            return None
        session = str(answer["Location"]).rpartition("/")[2]
        self.tabs.append(session)
        return session

    def send_details(self, token: uuid.UUID, email: str, which: int, choice: int) -> None:
        call_type = self.types[which % 2]
        call_type.one_off = self.link if which % 6 == 0 else None
        offers = availability.offered_slots(call_type, now=self.now)[:4]
        if offers:
            way = self.link.address if call_type.one_off else call_type.address
            self.details(way, offers[choice % len(offers)].start, token, email)

    def details(self, way: str, start: datetime, token: uuid.UUID, email: str) -> bool:
        """Send the form with the details; whether the time is held now."""
        Hits.objects.all().delete()
        answer = self.browse(
            "POST",
            reverse("booking:details", args=[way, start]),
            name="Ada",
            email=email,
            form_token=token,
            stamp=spam.stamp(self.now - MINUTE),
            **PRIVATELY,
        )
        return bool(answer.status_code == 302)

    def get(self, page: str, booking: Booking, **query: str) -> None:
        self.browse("GET", self.address(page, booking), **query)

    def post(self, page: str, booking: Booking, **fields: str) -> Any:
        return self.browse("POST", self.address(page, booking), **fields)

    def address(self, page: str, booking: Booking) -> str:
        if not page:
            return reverse("booking:days")
        return reverse(f"booking:{page}", args=[mail.token(booking)])

    def browse(self, method: str, path: str, **fields: object) -> Any:
        self.set_clock()
        send: Any = self.browser.post if method == "POST" else self.browser.get
        try:
            answer = send(path, fields)
        except Exception as error:
            self.has_failed = True
            raise AssertionError(f"6: {method} {path.split('/')[2]} ends in 500") from error
        assert answer.status_code in ANSWERS, f"6: {method} {path} ends in {answer.status_code}"
        return answer

    def deliver(self, event: Json) -> int:
        self.set_clock()
        try:
            return self.stripe.deliver(event).status
        except Exception as error:
            self.has_failed = True
            raise AssertionError(f"6: {event['type']} ends in 500") from error

    def any(self) -> list[Booking]:
        return list(Booking.objects.with_its_type().order_by("pk"))

    def unfinished(self) -> list[Booking]:
        return [booking for booking in self.any() if booking.is_unfinished]

    def confirmed(self) -> list[Booking]:
        return [booking for booking in self.any() if booking.is_confirmed]

    def charged(self) -> list[str]:
        return [each["id"] for each in self.stripe.intents if each["status"] == "succeeded"]

    def open_tabs(self) -> list[str]:
        is_open = {each["id"] for each in self.stripe.sessions if each["status"] == "open"}
        return [tab for tab in self.tabs if tab in is_open]

    def one(self, things: list[Any], pick: int) -> Any:
        return things[pick % len(things)]


def walk(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        MoneyMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=SOAK is None,
            deadline=None,
            database=None,
            phases=[Phase.generate] if SOAK is None else [Phase.generate, Phase.shrink],
        ),
    )


@pytest.fixture(autouse=True)
def one_stripe_and_one_clock(db, settings, monkeypatch) -> Iterator[None]:
    """All walks share one server; each begins with empty books."""
    with Sandbox(now=MONDAY.timestamp) as stripe:
        point_to(stripe, settings)
        MoneyMachine.stripe = stripe
        MoneyMachine.patch = monkeypatch
        practice()
        # How an invoice looks is told elsewhere; here it is written many times.
        monkeypatch.setattr(invoice_pdf, "draw", lambda data: data.number.encode())
        yield


def test_no_money_is_lost_whatever_happens():
    walk(int(SOAK or 5), steps=40)


# --- controls: each takes one rule away, and the walks find out -----------------------------------


def nobody_looks_whether_the_time_is_free(monkeypatch) -> None:
    with connection.cursor() as cursor:  # the test's transaction takes it back
        cursor.execute("ALTER TABLE booking_booking DROP CONSTRAINT booking_no_overlap")
    monkeypatch.setattr(scheduling, "still_good", lambda booking, *, now: None)


def nobody_ends_the_page(monkeypatch) -> None:
    """A time is given back or changed although it can still be paid for."""
    monkeypatch.setattr(checkout, "end_payment", lambda booking, *, now: None)
    monkeypatch.setattr(Booking, "is_being_paid", False)


def the_page_is_only_ended_here(monkeypatch) -> None:
    monkeypatch.setattr(checkout, "_end", checkout._close)


def each_press_opens_another_page(monkeypatch) -> None:
    monkeypatch.setattr(checkout, "_end", checkout._close)
    monkeypatch.setattr(Deposit, "can_be_paid", lambda deposit, now: False)


def the_same_news_counts_again(monkeypatch) -> None:
    receive = deposits.receive

    def receive_again(deposit: Deposit, session: Any, *, now: datetime) -> bool:
        return receive(deposit, session, now=now) or deposit.amount_cents == session.amount_cents

    monkeypatch.setattr(deposits, "receive", receive_again)


def refunds_are_not_added_up(monkeypatch) -> None:
    monkeypatch.setattr(deposits, "_recount", lambda deposit: None)


def refunds_are_sent_blindly(monkeypatch) -> None:
    """Nobody asks what has gone back, and each try has a key of its own."""
    monkeypatch.setattr(stripe_gateway, "refunds_of", lambda payment: [])
    monkeypatch.setattr(Refund, "idempotency_key", property(lambda refund: uuid.uuid4().hex))


def who_comes_back_has_paid(monkeypatch) -> None:
    def look(booking: Booking, *, now: datetime) -> Booking:
        with transaction.atomic():
            booking.paid_cents = booking.deposit_cents
            booking.save()
            with suppress(BookingError):
                return scheduling.confirm(booking, now=now, again=True)
        return booking

    monkeypatch.setattr(checkout, "look", look)


def the_hold_ends_before_the_page(monkeypatch) -> None:
    monkeypatch.setattr(checkout, "PAYING_HOLD_LIFE", scheduling.HOLD_LIFE)


def old_news_is_believed(monkeypatch) -> None:
    """What an event says counts, in the order in which events come."""
    ask = checkout._effect

    def believe(event: stripe_gateway.Event, *, now: datetime) -> Callable[[], object]:
        told = next(each for each in MoneyMachine.stripe.events if each["id"] == event.id)
        if event.kind not in stripe_gateway.REFUND_EVENTS:
            return ask(event, now=now)
        if event.kind == "charge.refunded":
            return lambda: None  # it names no single refund
        refund = stripe.Refund.construct_from(told["data"]["object"], key=None)
        found = [stripe_gateway._money_back(refund)]
        return lambda: deposits.note_refunds(event.payment_intent, found, now=now)

    monkeypatch.setattr(checkout, "_effect", believe)
    monkeypatch.setattr(deposits, "ORDER", Always())


class Always(list[Refund.Status]):
    """An order in which whatever comes is the newest."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = count()

    def index(self, *_: Any) -> int:
        return -next(self.turns)


def on_its_way_is_as_good_as_there(monkeypatch) -> None:
    monkeypatch.setitem(deposits.STATES, "pending", Refund.Status.SUCCEEDED)


def what_goes_wrong_is_nobodys_business(monkeypatch) -> None:
    begin = checkout.begin

    def begin_or_break(booking: Booking, **options: Any) -> str:
        try:
            return begin(booking, **options)
        except PaymentsAway as error:
            raise RuntimeError from error

    monkeypatch.setattr(checkout, "begin", begin_or_break)


def late_money_stays(monkeypatch) -> None:
    def book_or_forget(booking: Booking, deposit: Deposit, *, now: datetime) -> None:
        checkout._book(booking, deposit, now=now)

    monkeypatch.setattr(checkout, "_make_good", book_or_forget)


def refunds_leave_the_papers_as_they_are(monkeypatch) -> None:
    monkeypatch.setattr(invoicing, "_for_refunds", lambda deposit, *, now: [])


def any_money_gets_an_invoice(monkeypatch) -> None:
    monkeypatch.setattr(DepositQuerySet, "that_booked", lambda rows: rows.paid())


# Which steps the shorter walks are made of, and what they choose from.
MONEY_MOVES = ("hold", "book_and_pay", "pay_and_be_heard_too_late", "reconcile")
TABS_STAY_OPEN = ("hold", "leave_a_tab_open", "pay", "let_time_pass")
MONEY_GOES_BACK = (
    "hold", "book_and_pay", "a_refund_takes_its_time", "cancel_and_refund_in_the_dashboard",
    "refunds_get_lost", "reconcile",
)  # fmt: skip
PAPERS = ("write_invoices", "book_and_pay", "cancel_and_refund_in_the_dashboard", "reconcile")
LATE_PAPERS = (*MONEY_MOVES, "write_invoices")
A_REFUND_TAKES_TIME = ("a_refund_takes_its_time",)
CHOICES: dict[str, list[Any]] = {
    "again": [True],
    "arrives": [True, False],
    "cents": [1, 5000, None],
    "comes_back": [True, False],
    "heard": ["page", "webhook", "job"],
    "lost": [True, False],
    "minutes": [1, 16],
    "page": ["paid"],
    "presses": [1, 2],
    "taken": [True, False],
    "then": ["give up", "another time", "second form", "pay again"],
    "waits": [True, False],
}


def wander(steps: Sequence[str], seed: int) -> None:
    """A walk of a few kinds of steps that often happen together, until something is wrong."""
    random = Random(seed)
    machine = MoneyMachine()
    machine.two_kinds_of_call(pick=random.randrange(10_000))
    for _ in range(LENGTH):
        step = getattr(machine, random.choice(steps))
        names = list(inspect.signature(step).parameters)
        with suppress(ZeroDivisionError):  # nothing is there to choose from
            step(**{n: random.choice(CHOICES.get(n, range(10_000))) for n in names})
        machine.all_is_well()
    machine.teardown()


@pytest.mark.skipif(SOAK is not None, reason="the controls take the same walks every time")
@pytest.mark.parametrize(
    ("rule_gone", "steps", "breaks"),
    [
        (nobody_looks_whether_the_time_is_free, MONEY_MOVES, "1"),
        (late_money_stays, MONEY_MOVES, "2"),
        (the_same_news_counts_again, MONEY_MOVES, "3"),
        (who_comes_back_has_paid, ("hold", "press_pay", "look"), "3"),
        (on_its_way_is_as_good_as_there, A_REFUND_TAKES_TIME, "4"),
        (nobody_ends_the_page, TABS_STAY_OPEN, "5"),
        (the_page_is_only_ended_here, TABS_STAY_OPEN, "5"),
        (each_press_opens_another_page, TABS_STAY_OPEN, "5"),
        (the_hold_ends_before_the_page, TABS_STAY_OPEN, "5"),
        (what_goes_wrong_is_nobodys_business, TABS_STAY_OPEN, "6"),
        (refunds_are_not_added_up, MONEY_GOES_BACK, "7"),
        (refunds_are_sent_blindly, MONEY_GOES_BACK, "7"),
        (old_news_is_believed, A_REFUND_TAKES_TIME, "7"),
        (refunds_leave_the_papers_as_they_are, PAPERS, "8"),
        (any_money_gets_an_invoice, LATE_PAPERS, "8"),
    ],
)
def test_control_without_a_rule_the_walks_find_out(rule_gone, steps, breaks, monkeypatch):
    with monkeypatch.context() as patch:
        rule_gone(patch)

        with pytest.raises(AssertionError, match=f"{breaks}: "):
            for seed in range(MOST_WALKS):
                wander(steps, seed)


@pytest.mark.skipif(SOAK is not None, reason="this is about the controls")
@pytest.mark.parametrize("steps", [MONEY_MOVES, TABS_STAY_OPEN, MONEY_GOES_BACK, PAPERS])
def test_with_all_rules_the_same_walks_find_nothing(steps):
    wander(steps, seed=0)
