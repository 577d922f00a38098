"""The coach's words for some of the readers: given, taken away, and written anew for one person."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet, Value
from django.db.models.functions import Lower

from newsletter.imports.rows import clean_tags
from newsletter.models import Subscriber, Tag


def words_in(text: str) -> list[str]:
    """The tags somebody typed, separated by commas or semicolons; each once, whatever its case."""
    return clean_tags(text)


def give(people: QuerySet[Subscriber], words: list[str]) -> int:
    """Give these people the tags; returns how many of them got one they did not have."""
    with transaction.atomic():
        tags = _tags(words)
        got: set[int] = set()
        for tag in tags:
            pks = list(people.exclude(tags=tag).values_list("pk", flat=True))
            tag.subscribers.add(*pks)
            got.update(pks)
        return len(got)


def take(people: QuerySet[Subscriber], words: list[str]) -> int:
    """Take the tags from these people; returns how many of them had one."""
    with transaction.atomic():
        tags = _known(words)
        had = list(people.filter(tags__in=tags).distinct().values_list("pk", flat=True))
        for tag in tags:
            tag.subscribers.remove(*had)
        return len(had)


def write(person: Subscriber, words: list[str]) -> None:
    """These tags and no others."""
    with transaction.atomic():
        person.tags.set(_tags(words))


def _tags(words: list[str]) -> list[Tag]:
    """A tag for each word, made if there is none; a spelling that is known stays."""
    Tag.objects.bulk_create([Tag(name=word) for word in words], ignore_conflicts=True)
    return _known(words)


def _known(words: list[str]) -> list[Tag]:
    by_word = Tag.objects.alias(word=Lower("name"))
    return list(by_word.filter(word__in=[Lower(Value(word)) for word in words]))
