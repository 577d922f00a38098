"""What a calendar file says about busy times. No Django, no database, no network.

The file comes from somebody else's server and may be anything. `python -m booking.busy_times`
therefore reads it in a process of its own, with a limit on memory and time; `busy_feeds` starts it.

Of each event only the lines about time are looked at: what an appointment is about never gets in.
In doubt a time counts as busy, and what cannot be read leaves a sentence for the coach.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import sys
import time
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event
from icalendar.prop import vDDDLists, vDDDTypes
from icalendar.timezone import tzp
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON
from recurring_ical_events import CalendarQuery

from booking.slots import Interval, dates_span

DAY = timedelta(days=1)

# A process may take this much memory, the whole file this much computing, one series this much of
# it: a rule that repeats every second, or never, must not hold up the rest.
MEMORY = 1024 * 1024 * 1024
SECONDS_A_FILE = 15.0
SECONDS_A_SERIES = 1.0
MOST_INTERVALS = 20_000
MOST_WARNINGS = 10

# The properties that decide when somebody is busy.
ABOUT_TIME = frozenset(
    (
        *("UID", "SEQUENCE", "STATUS", "TRANSP", "DTSTART", "DTEND", "DURATION"),
        *("RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"),
    )
)
MOMENTS = ("DTSTART", "DTEND", "RECURRENCE-ID")
LISTS = ("RDATE", "EXDATE")
# Without these an event says nothing that could be trusted.
INDISPENSABLE = frozenset({"DTSTART", "RECURRENCE-ID"})


class Unreadable(Exception):
    """The file as a whole cannot be used; the message is for the coach."""


class TookTooLong(Exception):
    """One series used up its time."""


@dataclass(frozen=True)
class Parsed:
    """Busy times in UTC, merged and in order, and what the coach should know about the file."""

    busy: list[Interval]
    warnings: list[str]


def parse(
    data: bytes,
    zone: ZoneInfo,
    first: datetime,
    last: datetime,
    *,
    own: Collection[str] = frozenset(),
) -> Parsed:
    """The busy times between two instants; floating times and whole days are in `zone`.

    `own` are the first parts of the UIDs of appointments this site made itself: they are not
    busy times of another calendar. Call it in a main thread: its clock is a signal.
    """
    text = _unfolded(data)
    reading = _Reading(zone, first.astimezone(UTC), last.astimezone(UTC), frozenset(own))
    with warnings.catch_warnings(), _stopwatch():
        warnings.simplefilter("ignore")  # the libraries' guesses about zone names
        tzp.use_zoneinfo()  # forgets the zones of other files
        return reading.of(text)


class _Reading:
    """One file on its way to busy times."""

    def __init__(
        self, zone: ZoneInfo, first: datetime, last: datetime, own: frozenset[str]
    ) -> None:
        self.zone = zone
        self.window = Interval(first, last)
        self.own = own
        self.said: dict[str, None] = {}

    def of(self, text: str) -> Parsed:
        zones, blocks = _components(text)
        for block in zones:
            _learn_zone(block)
        busy: list[Interval] = []
        found = broken = 0
        for series in self._series(blocks):
            found += 1
            try:
                with _at_most(SECONDS_A_SERIES):
                    busy += self._times(series)
            except TookTooLong:
                broken += 1
                self._say(f"{_name(series[0])} wiederholt sich zu oft und zählt nicht.")
            except Unreadable:
                raise
            except Exception:
                # Whatever a strange event makes the libraries raise concerns this event alone.
                broken += 1
                self._say(f"{_name(series[0])} ist nicht lesbar und zählt nicht.")
        if found and broken == found:
            raise Unreadable("Kein einziger Eintrag des Kalenders ist lesbar.")
        merged = _merged(busy)
        if len(merged) > MOST_INTERVALS:
            raise Unreadable("Der Kalender enthält zu viele Einträge.")
        return Parsed(merged, _few(list(self.said)))

    def _series(self, blocks: Sequence[_Block]) -> Iterator[list[_Block]]:
        """Blocks that belong together: an event, its repetitions and their changes."""
        by_uid: dict[str, list[_Block]] = {}
        for number, block in enumerate(blocks):
            if block.uid.partition("@")[0].casefold() in self.own or block.is_over(
                self.window.start
            ):
                continue
            by_uid.setdefault(block.uid or f"#{number}", []).append(block)
        for group in by_uid.values():
            changes = [block for block in group if block.is_change]
            events = [block for block in group if not block.is_change]
            # Two events must not share a UID, and do. An older version of the same one is gone.
            newest = max((block.sequence for block in events), default=0)
            heads = [block for block in events if block.sequence == newest]
            yield heads[:1] + changes
            yield from ([block] for block in heads[1:])

    def _times(self, series: list[_Block]) -> list[Interval]:
        calendar = Calendar()
        for block in series:
            try:
                calendar.add_component(self._event(block))
            except (ValueError, AttributeError):
                # A change that cannot be read leaves the repetition where it was: busy.
                if block is series[0]:
                    raise
                self._say(f"{_name(block)} ist nicht lesbar und zählt nicht.")
        # Whole days are compared without a zone, hence a day more on either side.
        events = CalendarQuery(calendar).between(self.window.start - DAY, self.window.end + DAY)
        times = (self._interval(event) for event in events if _is_busy(event))
        return [
            Interval(max(each.start, self.window.start), min(each.end, self.window.end))
            for each in times
            if each.start < each.end
            and each.start < self.window.end
            and self.window.start < each.end
        ]

    def _event(self, block: _Block) -> Event:
        """The event with every time in a zone, so that times can be compared."""
        event: Any = Event.from_ical(block.text)
        for name in {str(name) for name, _ in event.errors}:
            if name in INDISPENSABLE:
                raise ValueError(name)
            event.pop(name, None)
            self._say(f"{_name(block)} ist nur zum Teil lesbar.")
        for name in MOMENTS:
            if name in event:
                moment = vDDDTypes(self._local(event[name].dt, event[name].params))
                moment.params.update(_without_zone(event[name].params))
                event[name] = moment
        start = event["DTSTART"].dt
        for name in LISTS:
            if name in event:
                lists = event[name] if isinstance(event[name], list) else [event[name]]
                values = [
                    self._local(value.dt, each.params) for each in lists for value in each.dts
                ]
                event[name] = vDDDLists([_like(start, value) for value in values])
        if "RECURRENCE-ID" in event and not isinstance(start, datetime):
            identity = vDDDTypes(_like(start, event["RECURRENCE-ID"].dt))
            identity.params.update(_without_zone(event["RECURRENCE-ID"].params))
            event["RECURRENCE-ID"] = identity
        self._settle_end(event, start)
        rules = event.get("RRULE", [])
        for rule in rules if isinstance(rules, list) else [rules]:
            rule["UNTIL"] = [self._until(start, until) for until in rule.get("UNTIL", [])]
            if not rule["UNTIL"]:
                del rule["UNTIL"]
        return event  # type: ignore[no-any-return]

    def _local(self, value: Any, params: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self._local(each, params) for each in value)
        if isinstance(value, datetime) and value.tzinfo is None:
            if "TZID" in params:
                self._say(
                    f"Die Zeitzone „{str(params['TZID'])[:60]}“ ist unbekannt; "
                    f"es gilt {self.zone.key}."
                )
            return value.replace(tzinfo=self.zone)
        return value

    def _settle_end(self, event: Any, start: date) -> None:
        """An hour lasts an hour, even on the night the clock changes; a day ends on the clock."""
        if "DTEND" in event or "DURATION" not in event or not isinstance(start, datetime):
            return
        length = event["DURATION"].dt
        if length.seconds:
            end = (start.astimezone(UTC) + length).astimezone(start.tzinfo)
            event["DTEND"] = vDDDTypes(end)
            del event["DURATION"]

    def _until(self, start: date, until: date) -> date:
        """The last moment of a rule as the standard wants it: a date for days, else in UTC."""
        zone = start.tzinfo if isinstance(start, datetime) else None
        if zone is None:
            return until.astimezone(self.zone).date() if isinstance(until, datetime) else until
        if not isinstance(until, datetime):
            until = datetime(until.year, until.month, until.day, 23, 59, 59, tzinfo=zone)
        if until.tzinfo is None:
            until = until.replace(tzinfo=zone)
        return until.astimezone(UTC)

    def _interval(self, event: Any) -> Interval:
        start, end = event["DTSTART"].dt, event["DTEND"].dt
        if isinstance(start, datetime):
            return Interval(start.astimezone(UTC), end.astimezone(UTC))
        # Some programs end a single day on that day.
        return dates_span(start, max(start, end - DAY), self.zone)

    def _say(self, sentence: str) -> None:
        self.said[sentence] = None


@dataclass(frozen=True)
class _Block:
    """The lines of one event that are about time."""

    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\r\n".join(["BEGIN:VEVENT", *self.lines, "END:VEVENT", ""])

    @property
    def uid(self) -> str:
        return self.value("UID")

    @property
    def sequence(self) -> int:
        value = self.value("SEQUENCE")
        return int(value) if value.isascii() and value.isdigit() else 0

    @property
    def is_change(self) -> bool:
        return self.has("RECURRENCE-ID")

    def value(self, name: str) -> str:
        """What stands after the colon; empty if there is no such line."""
        line = next((line for line in self.lines if _property(line) == name), "")
        # A parameter may hold colons, and so may a UID, which has no parameters.
        return (line.partition(":") if name == "UID" else line.rpartition(":"))[2].strip()

    def has(self, *names: str) -> bool:
        return any(_property(line) in names for line in self.lines)

    def day(self, name: str) -> str:
        """The date in this line as digits that can be compared; empty if there is none."""
        digits = self.value(name)[:8]
        return digits if len(digits) == 8 and digits.isascii() and digits.isdigit() else ""

    def is_over(self, moment: datetime) -> bool:
        """A single event of the past, told by its digits: old calendars consist of them."""
        if self.has("RRULE", "RDATE", "RECURRENCE-ID", "DURATION") or not self.day("DTSTART"):
            return False
        if self.has("DTEND") and not self.day("DTEND"):
            return False
        return max(self.day("DTSTART"), self.day("DTEND")) < f"{moment - 2 * DAY:%Y%m%d}"


def _unfolded(data: bytes) -> str:
    """The file's lines in one piece each. Raises Unreadable unless it is a whole calendar."""
    text = data.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    text = re.sub(r"\n[ \t]", "", text).strip()
    head, tail = text[:200].lstrip("\ufeff").upper(), text[-200:].upper()
    if not head.startswith("BEGIN:VCALENDAR"):
        raise Unreadable(
            "Unter dieser Adresse antwortet eine Webseite, kein Kalender."
            if "<" in head
            else "Die Antwort ist kein Kalender."
        )
    if not tail.rstrip().endswith("END:VCALENDAR"):
        raise Unreadable("Der Kalender kam nicht vollständig an.")
    return text


def _components(text: str) -> tuple[list[str], list[_Block]]:
    """The file's own zones as text, and its events."""
    zones: list[str] = []
    events: list[_Block] = []
    event: list[str] | None = None
    zone: list[str] | None = None
    inside = 0  # depth of an alarm or the like inside an event
    for line in text.split("\n"):
        mark = line.strip().upper()
        if mark == "BEGIN:VEVENT":
            event, inside = [], 0
        elif mark == "END:VEVENT":
            if event is not None:
                events.append(_Block(tuple(event)))
            event = None
        elif mark == "BEGIN:VTIMEZONE":
            zone = [line]
        elif mark == "END:VTIMEZONE":
            zones.append("\r\n".join([*(zone or []), line, ""]))
            zone = None
        elif zone is not None:
            zone.append(line)
        elif event is not None:
            if mark.startswith("BEGIN:"):
                inside += 1
            elif mark.startswith("END:"):
                inside -= 1
            elif inside == 0 and _property(line) in ABOUT_TIME:
                event.append(line)
    return zones, events


def _property(line: str) -> str:
    return re.split("[:;]", line, maxsplit=1)[0].strip().upper()


def _learn_zone(block: str) -> None:
    """Make the file's own zones known. What Windows calls its zones is known already, and right."""
    with suppress(Exception), _at_most(SECONDS_A_SERIES):
        name = re.search(r"^TZID[^:\n]*:(.*?)\s*$", block, re.MULTILINE | re.IGNORECASE)
        if name and name.group(1) not in WINDOWS_TO_OLSON:
            Calendar.from_ical(f"BEGIN:VCALENDAR\r\n{block}END:VCALENDAR\r\n")


def _is_busy(event: Any) -> bool:
    transparent = str(event.get("TRANSP", "")).upper() == "TRANSPARENT"
    return not transparent and str(event.get("STATUS", "")).upper() != "CANCELLED"


def _without_zone(params: Any) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name == "RANGE"}


def _like(start: date, value: Any) -> Any:
    """Days to days: an exception to a whole day may name a time all the same."""
    if not isinstance(start, datetime) and isinstance(value, datetime):
        return value.date()
    return value


def _merged(intervals: list[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for each in sorted(intervals):
        if merged and each.start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, max(merged[-1].end, each.end))
        else:
            merged.append(each)
    return merged


def _name(block: _Block) -> str:
    """„Ein Eintrag vom 03.05.2027“: by its day alone, the rest is nobody's business."""
    day = block.day("DTSTART")
    return f"Ein Eintrag vom {day[6:]}.{day[4:6]}.{day[:4]}" if day else "Ein Eintrag"


def _few(sentences: list[str]) -> list[str]:
    left_out = len(sentences) - MOST_WARNINGS
    more = [f"Und {left_out} weitere Hinweise."] if left_out > 0 else []
    return sentences[:MOST_WARNINGS] + more


@contextmanager
def _stopwatch() -> Iterator[None]:
    """Computing time rings a bell that raises TookTooLong; `_at_most` sets it."""

    def ring(number: int, frame: object) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGVTALRM, ring)
    _began.append(time.process_time())
    try:
        yield
    finally:
        _began.pop()
        signal.signal(signal.SIGVTALRM, before)


_began: list[float] = []


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    if time.process_time() - _began[-1] > SECONDS_A_FILE:
        raise Unreadable("Der Kalender ist zu aufwendig zu lesen.")
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def main() -> None:
    """Read one line of what is wanted and then the file from stdin; answer in one line."""
    with suppress(ValueError, OSError):  # not every system can limit memory
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    wanted = json.loads(sys.stdin.buffer.readline())
    try:
        parsed = parse(
            sys.stdin.buffer.read(),
            ZoneInfo(wanted["zone"]),
            datetime.fromisoformat(wanted["first"]),
            datetime.fromisoformat(wanted["last"]),
            own=wanted["own"],
        )
    except Unreadable as error:
        answer: dict[str, Any] = {"error": str(error)}
    else:
        busy = [[each.start.isoformat(), each.end.isoformat()] for each in parsed.busy]
        answer = {"busy": busy, "warnings": parsed.warnings}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
