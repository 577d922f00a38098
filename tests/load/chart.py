"""The percentiles against the rate as SVG, on two logarithmic axes, for light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from tests.load.results import SLOWEST_P95, Step, knee

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 60, 56, 56
STYLE = """
  svg { color-scheme: light dark; background: #fff; font: 14px system-ui, sans-serif }
  text { fill: #222 } .faint { stroke: #ddd } .limit { stroke: #777; stroke-dasharray: 2 4 }
  .knee { stroke: #a3360a; stroke-width: 2; stroke-dasharray: 7 4 } .knee-text { fill: #a3360a }
  .line { fill: none; stroke-width: 2.5 }
  .p50 { stroke: #0b6e4f } .p95 { stroke: #1f4e9c } .p99 { stroke: #6b3fa0 }
  .dot { fill: #fff; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    svg { background: #161616 } text { fill: #eee } .faint { stroke: #3a3a3a } .limit { stroke: #999 }
    .knee { stroke: #ff9a6b } .knee-text { fill: #ff9a6b } .dot { fill: #161616 }
    .p50 { stroke: #5fd3a8 } .p95 { stroke: #8fb8ff } .p99 { stroke: #c9a6ff }
  }
"""
NAMES = ("p50", "p95", "p99")


class _Axes:
    """From rates and milliseconds to places."""

    def __init__(self, steps: Sequence[Step]) -> None:
        slowest = max(max(step.p99 for step in steps), SLOWEST_P95)
        fastest = min(max(step.p50, 0.1) for step in steps)
        self.rates = min(s.asked for s in steps) * 0.8, max(s.asked for s in steps) * 1.25
        self.times = 10 ** math.floor(math.log10(fastest)), 10 ** math.ceil(math.log10(slowest))

    def x(self, rate: float) -> float:
        return round(LEFT + _part(rate, *self.rates) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, milliseconds: float) -> float:
        low, high = self.times
        return round(HEIGHT - BOTTOM - _part(milliseconds, low, high) * (HEIGHT - TOP - BOTTOM), 1)

    @property
    def decades(self) -> Iterator[float]:
        low, high = self.times
        while low <= high * 1.001:
            yield low
            low *= 10


def latencies(steps: Sequence[Step]) -> str:
    """Three lines over the rates that were asked, the limit, and the knee as a line from top to bottom."""
    axes, held = _Axes(steps), knee(steps)
    title = "How long an answer takes at rising rates"
    said = (
        f"The knee is at {held.asked:.0f} requests a second." if held else "No rate was borne well."
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-labelledby="title text"><title id="title">{title}</title>'
        f'<desc id="text">{said} Milliseconds against requests a second, both logarithmic.</desc>',
        f"<style>{STYLE}</style>",
        _text(LEFT, 22, f"{title}, in ms"),
        *_scales(axes, steps),
        *(_line(axes, steps, name) for name in NAMES),
    ]
    if held:
        x = axes.x(held.asked)
        parts.append(
            f'<line class="knee" x1="{x}" x2="{x}" y1="{TOP - 12}" y2="{HEIGHT - BOTTOM}"/>'
        )
        said = f"knee: {held.asked:.0f} a second"
        parts.append(_text(x - 8, TOP - 4, said, anchor="end", kind="knee-text"))
    return "\n".join([*parts, "</svg>", ""])


def _part(value: float, low: float, high: float) -> float:
    value = min(max(value, low), high)
    return math.log(value / low) / math.log(high / low)


def _scales(axes: _Axes, steps: Sequence[Step]) -> Iterator[str]:
    for time in axes.decades:
        yield _rule(axes.y(time), "faint")
        yield _text(
            LEFT - 8, axes.y(time) + 5, f"{time:,.0f}" if time >= 1 else f"{time:g}", anchor="end"
        )
    yield _rule(axes.y(SLOWEST_P95), "limit")
    yield _text(LEFT + 4, axes.y(SLOWEST_P95) - 5, f"{SLOWEST_P95:.0f} ms: too slow")
    right = -math.inf
    for step in sorted(steps, key=lambda each: each.asked):
        x = axes.x(step.asked)
        if x - right > 34:  # else two numbers would touch
            yield _text(x, HEIGHT - BOTTOM + 22, f"{step.asked:.0f}", anchor="middle")
            right = x
    yield _text(WIDTH / 2, HEIGHT - 10, "requests a second", anchor="middle")


def _rule(y: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'


def _line(axes: _Axes, steps: Sequence[Step], name: str) -> str:
    places = [(axes.x(step.asked), axes.y(getattr(step, name))) for step in steps]
    path = " ".join(f"{x},{y}" for x, y in places)
    dots = "".join(f'<circle class="dot {name}" cx="{x}" cy="{y}" r="4"/>' for x, y in places)
    x, y = places[-1]
    # The lines meet at the right end when all is slow; their names stand below each other.
    y = max(y, TOP) + {"p50": 14.0, "p95": 4.0, "p99": -6.0}[name]
    return f'<polyline class="line {name}" points="{path}"/>{dots}{_text(x + 10, y, name)}'


def _text(x: float, y: float, said: str, *, anchor: str = "start", kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x}" y="{y}" text-anchor="{anchor}">{escape(said)}</text>'
