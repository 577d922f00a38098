"""How a line of the log looks, and what never stands in it.

The site's own sentences name rows by number. What other people's code says may repeat what somebody
typed, so every line is cleaned once more before it leaves.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import re
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.core.exceptions import ValidationError
from django.db import Error

from coaching_site import tracing

GONE = "…"
# The part of an address that only its owner knows: a signed link, a feed's secret.
KEY = re.compile(r"(?<=/)[\w.:-]{20,}(?=[/?\s]|$)")
# Whatever else is long and random, or says by its beginning that it is secret.
TOKEN = re.compile(
    r"(?<![\w-])(?:[\w-]{40,}|(?:sk|rk)_(?:live|test)_\w+|whsec_\w+|AGE-SECRET-KEY-\w+)"
)
QUERY = re.compile(r"(?<=[\w/])\?[^\s\"'?]*=[^\s\"']*")
PASSWORD = re.compile(r"(?<=://)[^/\s@]+(?=@)")
MAILBOX = re.compile(r"[^\s@<>\"'(),;:=?&/\[\]]+(?:@|%40)[\w-]+(?:\.[\w-]+)*", re.IGNORECASE)
IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)")
PERHAPS_IPV6 = re.compile(r"(?<![\w:])[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}")
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|„[^“]*“")
# Python, Django and Postgres put into the message of these what they were given.
QUOTING = (ValueError, LookupError, ValidationError, Error, psycopg.Error)


class WithoutSecrets(logging.Filter):
    """Django names the address of a page that failed; it may be somebody's key."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.") and isinstance(record.args, tuple):
            record.args = tuple(
                KEY.sub(GONE, arg) if isinstance(arg, str) else arg for arg in record.args
            )
        return True


class JsonLine(logging.Formatter):
    """One JSON object a line: what a collector of logs reads. Times are UTC."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": cleaned(record.getMessage()),
            **_origin(record),
        }
        if error := _error(record):
            told |= {"error": type(error).__name__, "traceback": told_error(error)}
        return json.dumps(told, ensure_ascii=False)


class ReadableLine(logging.Formatter):
    """The same for the eyes, for one's own machine. Times are local."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s")

    def format(self, record: logging.LogRecord) -> str:
        record.asctime = self.formatTime(record)
        origin = "".join(f" {name}={value}" for name, value in _origin(record).items())
        line = f"{self.formatMessage(record)}{origin}: {cleaned(record.getMessage())}"
        error = _error(record)
        return f"{line}\n{told_error(error)}" if error else line


def configuration(style: str, loggers: dict[str, Any]) -> dict[str, Any]:
    """Everything goes to the standard error, in the style „json“ or „line“."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": "coaching_site.logs.JsonLine"},
            "line": {"()": "coaching_site.logs.ReadableLine"},
        },
        "filters": {"no_secrets": {"()": "coaching_site.logs.WithoutSecrets"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": style,
                "filters": ["no_secrets"],
            }
        },
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": loggers,
    }


def cleaned(text: str) -> str:
    """The text without keys, passwords, mail addresses, IP addresses and what stands after a „?“."""
    for pattern in (QUERY, KEY, PASSWORD, MAILBOX, TOKEN, IPV4):
        text = pattern.sub(GONE, text)
    return PERHAPS_IPV6.sub(_without_ipv6, text)


def told_error(error: BaseException) -> str:
    """As Python prints it with all that led to it, but of each message only what nobody typed."""
    return "\n".join(_lines(error, set())).rstrip()


def _lines(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _lines(before, seen)
        yield "which led to:"
    yield from (frame.rstrip() for frame in traceback.format_tb(error.__traceback__))
    yield f"{type(error).__module__}.{type(error).__qualname__}: {_message(error)}"


def _message(error: BaseException) -> str:
    message = str(error)
    if isinstance(error, (Error, psycopg.Error)):
        # The lines below the first hold rows, parameters and statements.
        message = message.partition("\n")[0]
    if isinstance(error, QUOTING):
        message = QUOTED.sub(GONE, message)
    return cleaned(message)


def _origin(record: logging.LogRecord) -> dict[str, Any]:
    """The request and the job a line comes from, as far as there are any.

    Django tells of an answer that is an error after the last middleware, and names its request.
    """
    request = getattr(getattr(record, "request", None), "id", "") or tracing.request_id.get()
    job = tracing.running_job.get()
    return {
        **({"request": request} if request else {}),
        **({"job": job.number, "task": job.task} if job else {}),
    }


def _error(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


def _without_ipv6(found: re.Match[str]) -> str:
    text = found.group()
    for candidate in (text, text.rstrip(":")):
        try:
            ipaddress.IPv6Address(candidate)
        except ValueError:
            continue
        return GONE + text[len(candidate) :]
    return text
