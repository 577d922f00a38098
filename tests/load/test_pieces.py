"""The pieces of the load test that need no site: percentiles, the search for the knee, chart, page, mix."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.load import chart, page
from tests.load.mix import MIX, visits_a_second
from tests.load.results import Step, climb, knee, percentile

SVG = "{http://www.w3.org/2000/svg}"
FAST = Step(asked=10, answered=10, requests=5_000, p50=3, p95=20, p99=40)


def at(rate: float, **changes: Any) -> Step:
    return replace(FAST, asked=rate, **changes)


def breaks_at(limit: float):
    """A site that is fast up to that rate and slow above it."""
    return lambda rate: at(rate, p95=20 if rate <= limit else 900, p99=950)


def test_a_percentile_is_one_of_the_values_and_so_many_are_not_above_it():
    values = list(range(1, 101))

    assert [percentile(values, share) for share in (0.50, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([], 0.5) == 0


@pytest.mark.parametrize(
    "changes",
    [{"p95": 501.0}, {"errors": Counter({"POST answered 500": 6})}, {"late": 400.0}],
    ids=["slow", "wrong", "not made"],
)
def test_slow_wrong_and_never_asked_are_all_too_much(changes):
    assert not at(80, **changes).is_good
    assert at(80, errors=Counter({"POST answered 500": 5})).is_good


def test_the_knee_is_looked_for_between_the_last_good_rate_and_the_first_bad_one():
    steps = climb(breaks_at(250), iter((20, 40, 80, 160, 320, 640)))

    asked = [step.asked for step in steps]
    assert asked == sorted(asked)
    assert 640 not in asked
    found = knee(steps)
    assert found is not None
    assert 200 < found.asked <= 250


def test_a_site_that_bears_everything_has_its_knee_at_the_highest_rate_asked():
    steps = climb(breaks_at(10_000), iter((20, 40)))

    assert [step.asked for step in steps] == [20, 40]
    assert knee(steps) == steps[-1]


def test_a_site_that_bears_nothing_has_no_knee():
    steps = climb(breaks_at(1), iter((20, 40)))

    assert [step.asked for step in steps] == [20]
    assert knee(steps) is None


def test_a_good_rate_above_a_bad_one_is_luck_and_no_knee():
    steps = [at(20), at(40, p95=800), at(80)]

    found = knee(steps)

    assert found is not None
    assert found.asked == 20


@pytest.mark.parametrize("limit", [1, 250, 10_000])
def test_the_chart_is_well_formed_and_draws_the_knee_if_there_is_one(limit):
    steps = climb(breaks_at(limit), iter((20, 40, 80, 160, 320)))

    drawn = ElementTree.fromstring(chart.latencies(steps))

    assert drawn.tag == f"{SVG}svg"
    lines = drawn.findall(f"{SVG}polyline")
    assert [len(line.attrib["points"].split()) for line in lines] == [len(steps)] * 3
    assert len(drawn.findall(f"{SVG}line[@class='knee']")) == (knee(steps) is not None)
    assert drawn.findtext(f"{SVG}title")
    assert drawn.findtext(f"{SVG}desc")
    assert "prefers-color-scheme: dark" in str(drawn.findtext(f"{SVG}style"))


def test_nothing_of_the_chart_lies_outside_of_it():
    slow = at(640, p50=4_000, p95=9_000, p99=20_000)

    drawn = ElementTree.fromstring(chart.latencies([at(20, p50=0.05), slow]))

    for circle in drawn.findall(f"{SVG}circle"):
        assert chart.LEFT <= float(circle.attrib["cx"]) <= chart.WIDTH - chart.RIGHT
        assert chart.TOP <= float(circle.attrib["cy"]) <= chart.HEIGHT - chart.BOTTOM


def test_a_run_writes_its_block_and_nothing_else(tmp_path):
    written = tmp_path / "scale.md"
    written.write_text("Before.\n<!-- day: begin -->\nold\n<!-- day: end -->\nAfter.\n")

    page.write_block("day", "new\n", written)

    words = "Before.\n<!-- day: begin -->\n\nnew\n\n<!-- day: end -->\nAfter.\n"
    assert written.read_text() == words


@pytest.mark.parametrize("name", ["day", "scale"])
def test_the_page_on_scale_has_a_place_for_each_run(name):
    words = page.PAGE.read_text()

    assert words.count(f"<!-- {name}: begin -->") == words.count(f"<!-- {name}: end -->") == 1


def test_the_mix_is_whole_and_makes_as_many_requests_as_asked():
    assert sum(visit.share for visit in MIX) == 100
    total = sum(visit.weight for visit in MIX)
    requests = sum(visit.weight / total * visit.requests for visit in MIX)
    assert visits_a_second(200) * requests == pytest.approx(200)
