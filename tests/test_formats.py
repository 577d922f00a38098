"""Only `coaching_site.german` and the tag `price` word dates, times and money for people's eyes."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_house import ROOT, modules

# Who may: the formats themselves, and what is read by machines in a form of their own.
WORDS_THEM = {
    "coaching_site/german.py",
    "coaching_site/vat.py",
    "coaching_site/formats/de/formats.py",
    # schema.org wants „49.00“.
    "pages/structured_data.py",
    # IMAP wants „01-Mar-2027“.
    "newsletter/inbox.py",
}
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*") if path.is_file())

# What machines read: ISO 8601, in addresses, forms, `datetime` and beside a time in German.
MACHINE = r"c|Y-m-d(?: H:i:s)?"
IN_A_TEMPLATE = {
    "a date or time": re.compile(rf'\|(?:date|time)\b(?!:"(?:{MACHINE})")|\{{% now\b'),
    "an age": re.compile(r"\|(?:timesince|timeuntil|naturaltime|naturalday)\b"),
    "a number": re.compile(r"\|(?:floatformat|stringformat|intcomma|localize)\b"),
    "a unit by hand": re.compile(r"(?:\}\}|%\}|\d)[^<>{}\n]{0,12}?(?:€|\bEUR\b|\bEuro\b|\bUhr\b)"),
    "a note on VAT by hand": re.compile(r"MwSt|Mehrwertsteuer|zzgl|§ 19 UStG"),
    "a price without its note": re.compile(r"\bprice_cents\|"),
}
FORMATTERS = re.compile(
    r"(?:locale|babel|django\.utils\.(?:formats|dateformat|numberformat|timesince))\b"
)
ISO = re.compile(r"%Y-?%m|%Y-?%m-?%d.*")


def slips_in_a_template(text: str) -> list[str]:
    shown = re.sub(r"\{#.*?#\}", "", text)
    return [what for what, pattern in IN_A_TEMPLATE.items() if pattern.search(shown)]


def slips_in_python(source: str) -> list[str]:
    return sorted(
        {what for node in ast.walk(ast.parse(source)) if (what := _slip(node)) is not None}
    )


def _slip(node: ast.AST) -> str | None:
    match node:
        case ast.FormattedValue(format_spec=ast.JoinedStr() as spec):
            return _of_a_format(_text(spec))
        case ast.Call(func=ast.Attribute(attr="strftime"), args=arguments):
            return next(filter(None, map(_of_a_format, map(_text, arguments))), None)
        case ast.Import(names=names):
            return _of_imports([each.name for each in names])
        case ast.ImportFrom(module=str() as module, names=names):
            return _of_imports([f"{module}.{each.name}" for each in names])
        case ast.JoinedStr(values=values):
            return _of_words(values)
        case ast.Constant(str() as words) if re.search(r"\d\s%\s(?:MwSt|USt)|zzgl\.", words):
            return "a note on VAT by hand"
    return None


def _of_imports(used: list[str]) -> str | None:
    return "formats of a locale" if any(map(FORMATTERS.match, used)) else None


def _of_a_format(spec: str) -> str | None:
    if re.search(r"%[a-zA-Z]", spec) and not ISO.fullmatch(spec):
        return "a date or time"
    return "a number" if re.search(r",|\.2f", spec) else None


def _of_words(values: list[ast.expr]) -> str | None:
    """A value with a unit typed behind it, as „{hours} Uhr“."""
    for value, after in itertools.pairwise(values):
        if isinstance(value, ast.FormattedValue) and re.match(
            r"\s*(?:€|EUR\b|Euro\b|Uhr\b)", _text(after)
        ):
            return "a unit by hand"
    typed = "".join(_text(value) for value in values if isinstance(value, ast.Constant))
    return "a time by hand" if re.search(r"\d:\d\d\s?Uhr", typed) else None


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return "".join(map(_text, node.values)) if isinstance(node, ast.JoinedStr) else ""


def others() -> Iterator[Path]:
    return (path for path in modules() if str(path.relative_to(ROOT)) not in WORDS_THEM)


def test_no_template_formats_by_itself():
    slips = {
        str(path.relative_to(ROOT)): found
        for path in TEMPLATES
        if (found := slips_in_a_template(path.read_text("utf-8")))
    }

    assert slips == {}


def test_no_module_formats_by_itself():
    slips = {
        str(path.relative_to(ROOT)): found
        for path in others()
        if (found := slips_in_python(path.read_text("utf-8")))
    }

    assert slips == {}


@pytest.mark.parametrize(
    "text",
    [
        '{{ booking.start|date:"d.m.Y" }}',
        "{{ booking.start|date }}",
        '{{ booking.start|time:"H:i" }}',
        '{% now "Y" %}',
        "{{ run.moved_at|timesince }}",
        "{{ amount|floatformat:2 }}",
        "{{ hour }}&nbsp;Uhr",
        "{{ hour }} Uhr",
        "{{ price }} €",
        "Nur 49 € im Monat",
        "{% price 100 %} zzgl. MwSt.",
        "{{ call.price_cents|euros }}",
    ],
)
def test_a_planted_slip_in_a_template_is_found(text):
    assert slips_in_a_template(text)


@pytest.mark.parametrize(
    "source",
    [
        'f"{day:%d.%m.%Y}"',
        'f"{moment:%H:%M}"',
        'f"{moment:%Y %B}"',
        'moment.strftime("%d.%m.")',
        'time.strftime("%d.%m.%Y", now)',
        'f"{hour} Uhr"',
        'f"{day}, 24:00 Uhr"',
        'f"{price / 100:.2f} €"',
        'f"{count:,}"',
        'f"{price} inkl. 19 % MwSt."',
        "from django.utils import formats, timezone",
        "from django.utils.dateformat import format",
        "from babel.dates import format_date",
        "import locale",
    ],
)
def test_a_planted_slip_in_python_is_found(source):
    assert slips_in_python(source)


@pytest.mark.parametrize(
    "source",
    ['f"{month:%Y-%m}"', 'f"{moment:%Y%m%d}"', 'now.strftime("%Y-%m-%dT%H:%M:%SZ")', 'f"{x:02}"'],
)
def test_what_machines_read_is_no_slip(source):
    assert slips_in_python(source) == []
