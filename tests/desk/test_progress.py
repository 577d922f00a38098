"""How far something is, and how long the rest takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coaching_site.desk.progress import SILENCE, Progress, in_words, remaining
from coaching_site.german import NBSP

START = datetime(2027, 3, 1, 8, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def at(seconds: int, done: int, total: int = 1000, **more: object) -> Progress:
    return Progress(done, total, START, START + seconds * SECOND, **more)  # type: ignore[arg-type]


def test_the_rest_takes_as_long_as_the_speed_so_far_says():
    found = at(60, 250)

    assert (found.percent, found.left) == (25, timedelta(minutes=3))


def test_before_the_first_step_nobody_knows_how_long_it_takes():
    assert (at(30, 0).left, at(30, 0).percent) == (None, 0)
    assert Progress(0, 1000, None, START).left is None
    assert at(0, 500).left is None


def test_what_went_on_is_measured_from_there():
    assert at(10, 600, before=500).left == 40 * SECOND


def test_a_stalled_work_has_no_time_left_and_says_that_it_is_silent():
    asleep = at(600, 250, moved=START + 60 * SECOND)

    assert asleep.is_silent
    assert asleep.left is None
    assert not at(60, 250, moved=START + 60 * SECOND).is_silent
    assert not at(60 + int(SILENCE.total_seconds()), 250, moved=START + 60 * SECOND).is_silent


@pytest.mark.parametrize(("done", "total"), [(1000, 1000), (1001, 1000), (0, 0)])
def test_the_finished_is_whole_and_takes_no_time(done, total):
    found = at(600, done, total)

    assert (found.percent, found.left, found.is_silent) == (100, timedelta(), False)


def test_it_is_never_whole_before_it_is():
    assert at(60, 99_999, 100_000).percent == 99


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(), "1 Sekunde"),
        (11 * SECOND, "11 Sekunden"),
        (42 * SECOND, "40 Sekunden"),
        (100 * SECOND, "2 Minuten"),
        (timedelta(minutes=4), "4 Minuten"),
        (timedelta(hours=2), "2 Stunden"),
        (timedelta(days=3), "3 Tage"),
    ],
)
def test_the_rest_is_said_in_plain_german(length, said):
    assert remaining(length) == f"noch etwa {said.replace(' ', NBSP)}"


def test_one_sentence_says_it_all():
    assert in_words(at(60, 250), "Zeilen") == (
        f"250 von 1.000 Zeilen, 4 in der Sekunde, noch etwa 3{NBSP}Minuten."
    )
    assert in_words(at(60, 0), "Zeilen") == "0 von 1.000 Zeilen."
    assert in_words(at(60, 1000), "Zeilen") == "1.000 Zeilen."
    assert in_words(at(60, 5), "Zeilen", total_is_known=False).startswith("5 Zeilen, 5 in der Min")
