"""Guards against robots that people never notice."""

from datetime import timedelta

import pytest
from django import forms
from django.utils import timezone

from coaching_site import links, spam

SECOND = timedelta(seconds=1)


class GuardedForm(forms.Form):
    name = forms.CharField()
    website = spam.Honeypot()
    stamp = spam.Stamp()

    def clean(self):
        spam.check(self.data)


def sent(age=timedelta(minutes=1), **changes) -> GuardedForm:
    stamp = spam.stamp(timezone.now() - age)
    return GuardedForm({"name": "Ada", "website": "", "stamp": stamp, **changes})


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch, now):
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)


@pytest.mark.parametrize("age", [spam.SHORTEST, timedelta(hours=1), spam.LONGEST])
def test_people_take_their_time_and_get_through(age):
    assert sent(age).is_valid()


@pytest.mark.parametrize(
    "age", [timedelta(0), spam.SHORTEST - SECOND / 10, spam.LONGEST + SECOND, -SECOND]
)
def test_too_fast_and_too_old_is_asked_to_send_again(age):
    assert sent(age).non_field_errors() == [spam.SEND_AGAIN]


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "x",
        "1803888000000",
        "1803888000000." + "A" * 43,
        "\0",
        "\ud800",
        "fremd",
        "verändert",
    ],
)
def test_a_tampered_time_is_asked_to_send_again(stamp, now):
    made = f"{(now - SECOND * 60).timestamp() * 1000:.0f}"
    forged = {"fremd": links.sign("booking", made), "verändert": spam.stamp(now) + "x"}
    stamp = forged.get(stamp, stamp)

    assert sent(stamp=stamp).non_field_errors() == [spam.SEND_AGAIN]


@pytest.mark.parametrize("typed", ["https://x.example", " ", "0"])
def test_whoever_fills_in_what_nobody_sees_is_asked_to_send_again(typed):
    assert sent(website=typed).non_field_errors() == [spam.SEND_AGAIN]


def test_sending_again_helps_after_every_mistake(monkeypatch, now):
    for refused in (sent(website="x"), sent(stamp="x"), sent(timedelta(0)), sent(spam.LONGEST * 2)):
        again = {name: refused[name].value() for name in ("name", "website", "stamp")}
        with monkeypatch.context() as later:
            later.setattr("django.utils.timezone.now", lambda: now + spam.SHORTEST)
            assert GuardedForm(again).is_valid()


def test_a_mistake_elsewhere_does_not_start_the_clock_anew():
    form = sent(name="")

    assert form["stamp"].value() == form.data["stamp"]


def test_a_fresh_form_carries_the_time_it_was_made(now):
    assert GuardedForm()["stamp"].value() == spam.stamp(now)


def test_a_page_from_a_host_whose_clock_is_ahead_gets_through_the_second_time(monkeypatch, now):
    refused = sent(-SECOND * 300)
    again = refused["stamp"].value()

    monkeypatch.setattr("django.utils.timezone.now", lambda: now + spam.SHORTEST)

    assert refused.non_field_errors() == [spam.SEND_AGAIN]
    assert GuardedForm({"name": "Ada", "website": "", "stamp": again}).is_valid()
