"""SQL the ORM builds once and that is then said many times, each time with other values.

To build a statement from a queryset costs Python more than to answer it costs Postgres. Where many
people wait for one lock, that is what they wait for. The queryset stays the only place where the
rule is written; this module keeps its SQL and fills in the blanks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, cached_property
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.sql import UpdateQuery
from django.db.models.sql.compiler import SQLCompiler
from psycopg.sql import SQL, Composable, Identifier, Placeholder

Said = tuple[str, tuple[Any, ...]]
M = TypeVar("M", bound=Model)

_shared: ContextVar[CursorWrapper | None] = ContextVar("_shared", default=None)


@contextmanager
def one_cursor() -> Iterator[None]:
    """All that is said inside goes through one cursor: a new one costs half a small statement.

    Use it inside a transaction, and read each answer to its end before you ask again.
    """
    with connection.cursor() as opened:
        before = _shared.set(opened)
        try:
            yield
        finally:
            _shared.reset(before)


@contextmanager
def cursor() -> Iterator[CursorWrapper]:
    """The one that is shared here, else a new one."""
    shared = _shared.get()
    if shared is not None:
        yield shared
    else:
        with connection.cursor() as opened:
            yield opened


class Blank(Expression):
    """Stands in a queryset for a value that is known only when the statement is said."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        return "%s", (self,)


def blank(name: str) -> Any:
    """A blank, typed so that it may stand wherever a queryset takes a value."""
    return Blank(name)


class _Statement:
    """SQL and its values, some of them blank. Built when it is first said: models are ready then."""

    def __init__(self, queryset: Callable[[], QuerySet[Any, Any]]) -> None:
        self._queryset = queryset

    @cached_property
    def said(self) -> Said:
        raise NotImplementedError

    def _filled(self, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """The SQL with its values. A blank nobody fills is a KeyError."""
        sql, params = self.said
        return sql, [values[each.name] if isinstance(each, Blank) else each for each in params]


class Select(_Statement):
    """What a queryset asks. Its rows are what Postgres answers: choose plain columns by name."""

    @cached_property
    def said(self) -> Said:
        return _select(self._queryset())

    def rows(self, **values: Any) -> list[tuple[Any, ...]]:
        with cursor() as asking:
            asking.execute(*self._filled(values))
            return list(asking.fetchall())


class Objects(Generic[M]):
    """What a queryset without blanks finds, each with its `parent`, the row its foreign key names."""

    def __init__(self, queryset: Callable[[], QuerySet[M, Any]], *, parent: str) -> None:
        self._queryset = queryset
        self._parent = parent

    def all(self) -> list[M]:
        key, own, others = self._fields
        with cursor() as asking:
            asking.execute(*self.said)
            rows = asking.fetchall()
        found = []
        for row in rows:
            each = _object(key.model, own, row[: len(own)])
            key.set_cached_value(each, _object(key.related_model, others, row[len(own) :]))
            found.append(each)
        return found

    @cached_property
    def said(self) -> Said:
        _, own, others = self._fields
        return _select(
            self._queryset().values_list(*own, *(f"{self._parent}__{name}" for name in others))
        )

    @cached_property
    def _fields(self) -> tuple[Any, list[str], list[str]]:
        key: Any = self._queryset().model._meta.get_field(self._parent)
        return key, _columns(key.model), _columns(key.related_model)


class Update(_Statement):
    """What `queryset.update(**changes)` says."""

    def __init__(self, queryset: Callable[[], QuerySet[Any, Any]], **changes: Any) -> None:
        super().__init__(queryset)
        self._changes = changes

    @cached_property
    def said(self) -> Said:
        query: Any = self._queryset().query.chain(UpdateQuery)
        query.add_update_values(self._changes)
        query.clear_ordering(force=True)
        query.annotations = {}
        sql, params = query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
        return sql, tuple(params)

    def run(self, **values: Any) -> int:
        """How many rows it changed."""
        with cursor() as asking:
            asking.execute(*self._filled(values))
            return int(asking.rowcount)


def _select(queryset: QuerySet[Any, Any]) -> Said:
    sql, params = queryset.query.sql_with_params()
    return sql, tuple(params)


def _columns(model: type[Model]) -> list[str]:
    """A model's columns. None may need Python to make its value from what Postgres answers."""
    fields = model._meta.concrete_fields
    assert not any(field.get_db_converters(connection) for field in fields), model
    return [field.attname for field in fields]


def _object(model: type[M], columns: list[str], values: tuple[Any, ...]) -> M:
    return model.from_db(DEFAULT_DB_ALIAS, columns, values)


def save(row: Model) -> None:
    """`row.save()`; for a new row without signals, by an INSERT that was built once.

    The fields and what becomes of their values are the model's own.
    """
    if not row._state.adding:
        row.save()
        return
    sql, fields = _insertion(type(row))
    values = [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in fields]
    if any(hasattr(value, "as_sql") for value in values):  # for Postgres to work out
        row.save()
        return
    with cursor() as asking:
        asking.execute(sql, values)
        (row.pk,) = asking.fetchone()
    row._state.adding = False
    row._state.db = DEFAULT_DB_ALIAS


@cache
def _insertion(model: type[Model]) -> tuple[str, list[Field[Any, Any]]]:
    """The INSERT of a model whose key Postgres gives, and the fields it writes: all but the key."""
    fields = [field for field in model._meta.local_concrete_fields if not field.primary_key]
    names: list[Composable] = [Identifier(str(field.column)) for field in fields]
    sql = SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING {}").format(
        Identifier(model._meta.db_table),
        SQL(", ").join(names),
        SQL(", ").join([Placeholder()] * len(fields)),
        Identifier(str(model._meta.pk.column)),
    )
    return sql.as_string(), fields
