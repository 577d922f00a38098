"""What people do in several steps, whole: a booking, a sign-up, its confirmation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.urls import reverse
from django.utils import timezone

from booking.models import CallType
from newsletter import subscriptions
from newsletter.models import Subscriber
from tests.bench import holds, measure, scenes
from tests.bench.measure import Cost, Pair, Part
from tests.bench.replay import Spoken, recorded, replay
from tests.bench.site import Answer, Site, Visitor

ROUNDS = 7
TIMES = 8
SIGN_UP = "/newsletter/"


@dataclass(frozen=True)
class Flow:
    """`prepare` is not measured and makes what `act` gets; each number is somebody else."""

    path: str
    prepare: Callable[[int], Any]
    act: Callable[[Any], object]


def flows(rounds: int = ROUNDS) -> Part:
    """Each flow through the whole application, in turns with its statements alone."""
    site = Site()
    with scenes.entered(holds.SCENE):
        times = holds.free_times(rounds * (TIMES + 1))
    booking = Flow("full booking", partial(_guest, site, times), _book)
    sign_up = Flow("newsletter sign-up", partial(_reader, site), _sign_up)
    confirmation = Flow("newsletter confirmation", partial(_asked, site), _confirm)
    return Part("", [_measured(flow, rounds) for flow in (booking, sign_up, confirmation)])


def _measured(flow: Flow, rounds: int) -> Pair:
    """Three copies of one database: to listen, to measure the site, to repeat what was heard."""
    numbers = range(rounds * (TIMES + 1))
    with scenes.copied("flow_heard", holds.SCENE):
        heard = [_heard(flow, number) for number in numbers]
    ours: list[Cost] = []
    bare: list[Cost] = []
    scenes.copy("flow_site", holds.SCENE)
    scenes.copy("flow_raw", holds.SCENE)
    for first in numbers[:: TIMES + 1]:
        these = numbers[first : first + TIMES + 1]
        with scenes.connected_to("flow_site"):
            made = [flow.prepare(number) for number in these]
            ours.append(_cost(flow.act, made))
        with scenes.connected_to("flow_raw"):
            for number in these:
                replay(heard[number][0])
            bare.append(_cost(replay, [heard[number][1] for number in these]))
    return Pair(flow.path, measure.middle(ours), holds.LIMIT, measure.middle(bare))


def _heard(flow: Flow, number: int) -> tuple[list[Spoken], list[Spoken]]:
    made: list[Any] = []
    before = recorded(lambda: made.append(flow.prepare(number)))
    return before, recorded(lambda: flow.act(made[0]))


def _cost(act: Callable[[Any], object], each: Sequence[Any]) -> Cost:
    """The first one warms the connection."""
    act(each[0])
    rest = iter(each[1:])
    return measure.cost(lambda: act(next(rest)), TIMES)


def _guest(site: Site, times: Sequence[datetime], number: int) -> tuple[Visitor, str, str]:
    CallType.objects.filter(slug=holds.SLUG).update(horizon_days=holds.YEAR.days)
    path = reverse("booking:details", args=[holds.SLUG, times[number]])
    return Visitor(site, number), path, f"ada{number}@example.org"


def _book(guest: tuple[Visitor, str, str]) -> None:
    """Details, the form sent, everything at a glance, the button, and that it is booked."""
    visitor, path, email = guest
    form = visitor.get(path)
    review = visitor.post(path, form, status=302, name="Ada Müller", email=email).field("Location")
    glance = visitor.get(review)
    visitor.get(visitor.post(review, glance, status=302).field("Location"))


def _reader(site: Site, number: int) -> tuple[Visitor, Answer, str]:
    visitor = Visitor(site, number)
    return visitor, visitor.get(SIGN_UP), f"leserin{number}@example.org"


def _sign_up(reader: tuple[Visitor, Answer, str]) -> None:
    visitor, form, email = reader
    visitor.post(SIGN_UP, form, status=303, email=email)


def _asked(site: Site, number: int) -> tuple[Visitor, str]:
    """Somebody who has got the mail."""
    visitor, form, email = _reader(site, number)
    _sign_up((visitor, form, email))
    row = Subscriber.objects.get(address=email)
    link = subscriptions.new_confirm_link(row, now=timezone.now())
    assert link is not None
    return visitor, reverse("newsletter:confirm", args=[link[0]])


def _confirm(asked: tuple[Visitor, str]) -> None:
    """The page behind the link, and its button."""
    visitor, path = asked
    visitor.post(path, visitor.get(path), status=303)
