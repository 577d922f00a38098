"""What the site says to Postgres, to be said again without the site: that is what bounds it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connection, transaction


class Statement(NamedTuple):
    sql: str
    params: Any
    reads: bool


@dataclass
class Spoken:
    """Statements that are one transaction, or a single one outside of any."""

    is_transaction: bool
    statements: list[Statement] = field(default_factory=list)
    is_over: bool = False

    def end(self) -> None:
        self.is_over = True


def recorded(action: Callable[[], object]) -> list[Spoken]:
    """All that is said while this is done."""
    said: list[Spoken] = []

    def listen(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        assert not many
        result = execute(sql, params, many, context)
        inside = connection.in_atomic_block
        if not (said and inside and said[-1].is_transaction and not said[-1].is_over):
            said.append(Spoken(inside))
            if inside:
                transaction.on_commit(said[-1].end)
        reads = context["cursor"].description is not None
        said[-1].statements.append(Statement(sql, params, reads))
        return result

    with connection.execute_wrapper(listen):
        action()
    return said


def replay(said: Sequence[Spoken]) -> None:
    """The same statements on the same kind of connection and cursor, without anything around."""
    connection.ensure_connection()
    raw: Any = connection.connection
    for spoken in said:
        with raw.transaction() if spoken.is_transaction else nullcontext(), raw.cursor() as cursor:
            for statement in spoken.statements:
                cursor.execute(statement.sql, statement.params)
                if statement.reads:
                    cursor.fetchall()
