"""Many small questions about rows, answered by the database in one query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import (
    BigIntegerField,
    Count,
    DateTimeField,
    F,
    Min,
    Model,
    QuerySet,
    Sum,
    Value,
)
from django.db.models.functions import Cast, Coalesce

AnyModel = TypeVar("AnyModel", bound=Model)


@dataclass(frozen=True)
class Question:
    """How many rows there are; if named, the earliest of a column's moments and the sum of another."""

    rows: QuerySet[Any]
    moment: str = ""
    amount: str = ""


@dataclass(frozen=True)
class Answer:
    """`first_pk` is the smallest key: of a single row, its own. A date counts from midnight in UTC."""

    count: int = 0
    first_pk: int | None = None
    earliest: datetime | None = None
    total: int = 0

    @property
    def is_there(self) -> bool:
        return self.count > 0


def some(rows: QuerySet[AnyModel]) -> QuerySet[AnyModel]:
    """At most one of these rows: whether there are any costs nothing, however many there are."""
    return rows.model._default_manager.filter(pk__in=rows.order_by().values("pk")[:1])


def ask(questions: Mapping[str, Question]) -> dict[str, Answer]:
    """The answer to each question, by its name. One query, none without questions."""
    if not questions:
        return {}
    first, *others = [_as_a_row(name, question) for name, question in questions.items()]
    return {name: Answer(*found) for name, *found in first.union(*others, all=True)}


def _as_a_row(name: str, question: Question) -> QuerySet[Any, Any]:
    moment = F(question.moment) if question.moment else Value(None)
    amount = F(question.amount) if question.amount else Value(0)
    row: QuerySet[Any, Any] = (
        question.rows.order_by()
        .annotate(asked=Value(name))
        .values("asked")
        .annotate(
            found_count=Count("pk"),
            found_pk=Cast(Min("pk"), BigIntegerField()),
            found_moment=Min(Cast(moment, DateTimeField())),
            found_total=Coalesce(
                Sum(Cast(amount, BigIntegerField())), 0, output_field=BigIntegerField()
            ),
        )
        .values_list("asked", "found_count", "found_pk", "found_moment", "found_total")
    )
    return row
