"""A second opinion on calendar files: a small strict reader of RFC 5545, and the rules of 5546.

It shares no code with what writes the files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

LINE = re.compile(
    r'(?P<name>[A-Z0-9-]+)(?P<params>(?:;[A-Z0-9-]+=(?:"[^"]*"|[^";:,]*))*):(?P<value>.*)'
)
PARAM = re.compile(r';([A-Z0-9-]+)=("[^"]*"|[^";:,]*)')
TEXTS = {"SUMMARY", "DESCRIPTION", "LOCATION"}
LONGEST_LINE = 75

# What each method asks of an event (RFC 5546 section 3.2): exactly one of each.
ALWAYS = {"UID", "DTSTAMP", "DTSTART", "SUMMARY", "ORGANIZER", "SEQUENCE"}
ASKS = {
    "PUBLISH": ALWAYS | {"STATUS"},
    "REQUEST": ALWAYS | {"STATUS", "DTEND", "ATTENDEE"},
    "CANCEL": ALWAYS | {"STATUS", "ATTENDEE"},
}
STATUS = {"PUBLISH": "CONFIRMED", "REQUEST": "CONFIRMED", "CANCEL": "CANCELLED"}


class Broken(AssertionError):
    """The file breaks a rule; the message says which."""


@dataclass(frozen=True)
class Property:
    name: str
    params: dict[str, str]
    value: str

    @property
    def text(self) -> str:
        """The value of a TEXT property as a person reads it (section 3.3.11)."""
        return re.sub(
            r"\\([\\;,nN])", lambda found: "\n" if found[1] in "nN" else found[1], self.value
        )

    @property
    def instant(self) -> datetime:
        return datetime.strptime(self.value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


@dataclass(frozen=True)
class File:
    """One calendar file that keeps the rules."""

    head: dict[str, Property]
    events: list[dict[str, Property]]

    @property
    def method(self) -> str:
        return self.head["METHOD"].value

    @property
    def event(self) -> dict[str, Property]:
        (event,) = self.events
        return event


def read(content: bytes) -> File:
    """Read a file, or raise Broken with the first rule it breaks."""
    head: dict[str, Property] = {}
    events: list[dict[str, Property]] = []
    inside: list[str] = []
    for each in map(_property, _unfolded(content)):
        if each.name == "BEGIN":
            inside.append(each.value)
            if each.value == "VEVENT":
                events.append({})
        elif each.name == "END":
            _check(inside and inside.pop() == each.value, f"END:{each.value} closes something else")
        else:
            _check(inside, f"{each.name} stands outside of VCALENDAR")
            properties = events[-1] if inside[-1] == "VEVENT" else head
            _check(each.name not in properties, f"{each.name} stands there twice")
            properties[each.name] = each
    _check(not inside, "something is not closed")
    file = File(head, events)
    _check_rules(file)
    return file


def _unfolded(content: bytes) -> list[str]:
    """The lines, each checked as it stands in the file (section 3.1)."""
    _check(content.endswith(b"\r\n"), "the last line has no end")
    _check(b"\n" not in content.replace(b"\r\n", b""), "a line ends without CR LF")
    _check(b"\r" not in content.replace(b"\r\n", b""), "a line ends without CR LF")
    lines: list[str] = []
    for raw in content[:-2].split(b"\r\n"):
        _check(raw, "a line is empty")
        _check(len(raw) <= LONGEST_LINE, f"a line has {len(raw)} octets")
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            raise Broken("a character is cut in two by a fold") from None
        if line[0] in " \t":
            _check(lines, "the file begins with a fold")
            lines[-1] += line[1:]
        else:
            lines.append(line)
    return lines


def _property(line: str) -> Property:
    found = LINE.fullmatch(line)
    if found is None:
        raise Broken(f"this is no property: {line[:60]!r}")
    value = found["value"]
    _check(not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", line), "a control character")
    if found["name"] in TEXTS:
        _check(re.fullmatch(r"(?:[^\\;,]|\\[\\;,nN])*", value), f"{found['name']} is not escaped")
    params = {name: _unquoted(text) for name, text in PARAM.findall(found["params"])}
    return Property(found["name"], params, value)


def _unquoted(text: str) -> str:
    """A parameter's value; „^“ speaks for what it could not contain (RFC 6868)."""
    letters = {"n": "\n", "^": "^", "'": '"'}
    return re.sub(r"\^([n^'])", lambda found: letters[found[1]], text.strip('"'))


def _check_rules(file: File) -> None:
    _check({"VERSION", "PRODID", "METHOD"} <= file.head.keys(), "the head is not complete")
    _check(file.head["VERSION"].value == "2.0", "VERSION is not 2.0")
    _check(file.method in ASKS, f"METHOD:{file.method}")
    if file.method != "PUBLISH":
        _check(len(file.events) == 1, "an invitation is one event")
    for event in file.events:
        missing = ASKS[file.method] - event.keys()
        _check(not missing, f"METHOD:{file.method} asks for {', '.join(sorted(missing))}")
        _check(event["STATUS"].value == STATUS[file.method], "STATUS does not fit METHOD")
        for name in ("DTSTAMP", "DTSTART", "DTEND"):
            if name in event:
                _check(re.fullmatch(r"\d{8}T\d{6}Z", event[name].value), f"{name} is not in UTC")
        if "DTEND" in event:
            _check(event["DTSTART"].instant < event["DTEND"].instant, "it ends before it begins")
        _check(event["SEQUENCE"].value.isdigit(), "SEQUENCE is no number")
        _check(event["ORGANIZER"].value.startswith("mailto:"), "ORGANIZER has no address")
        if file.method == "PUBLISH":
            _check("ATTENDEE" not in event, "what is published has no ATTENDEE")
        else:
            _check(event["ATTENDEE"].value.startswith("mailto:"), "ATTENDEE has no address")


def _check(kept: object, rule: str) -> None:
    if not kept:
        raise Broken(rule)
