"""Which request a line of the log, a job or a mail comes from: one random word that follows it.

The word says nothing about anybody. A job carries it among its arguments and hands it on to the
jobs and mails it causes.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from procrastinate import JobContext

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
# The argument of a job that its task never sees.
ARGUMENT = "_request"
# Neither a mail address nor an IP address can look like this.
WELL_FORMED = re.compile(r"[0-9A-Za-z-]{16,64}")


@dataclass(frozen=True)
class RunningJob:
    """The job a thread works at, by its number in the queue and the name of its task."""

    number: int
    task: str


request_id: ContextVar[str] = ContextVar("request_id", default="")
running_job: ContextVar[RunningJob | None] = ContextVar("running_job", default=None)


def new_id() -> str:
    return secrets.token_hex(16)


def is_well_formed(word: str) -> bool:
    return WELL_FORMED.fullmatch(word) is not None


@contextmanager
def of_request(word: str) -> Iterator[None]:
    """Whatever this block logs, enqueues or mails comes from that request."""
    before = request_id.set(word)
    try:
        yield
    finally:
        request_id.reset(before)


def with_request(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A job's arguments, and beside them the request it comes from, if it comes from one."""
    word = request_id.get()
    return {**arguments, ARGUMENT: word} if word else {**arguments}


def without_request(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What the task itself was given."""
    return {name: value for name, value in arguments.items() if name != ARGUMENT}


async def follow(run: Callable[[], Awaitable[Any]], context: JobContext, worker: object) -> Any:
    """Worker middleware: take the request from the arguments, and say which attempts fail.

    Nothing is set back: every job has a context of its own, and the library's last word about the
    job is said after this.
    """
    job = context.job
    request_id.set(str(job.task_kwargs.pop(ARGUMENT, "")))
    running_job.set(RunningJob(job.id or 0, job.task_name))
    try:
        return await run()
    except Exception as error:
        logger.warning("Attempt %s failed: %s.", job.attempts + 1, type(error).__name__)
        raise
