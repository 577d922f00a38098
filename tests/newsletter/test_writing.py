"""Two who write at once: one is kept, the other is told, and nothing gets lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from django.db import connections

from newsletter import writing
from newsletter.models import Issue
from newsletter.sending import running
from newsletter.writing import Draft, NotADraft, NotSentYet, SlugTaken, WrittenMeanwhile
from tests.newsletter import issues

DRAFT = Draft(subject="Über Größe", preheader="", body="Eins", slug="", in_archive=True, tags=())
SECOND = timedelta(seconds=1)


def at_once(*actions: Callable[[], object]) -> list[object]:
    """Start them together; what each got, be it an error."""
    start = Barrier(len(actions))

    def run(action: Callable[[], object]) -> object:
        start.wait(timeout=30)
        try:
            return action()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(actions)) as crowd:
        return list(crowd.map(run, actions))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("subject", "slug"),
    [
        ("Über Größe", "ueber-groesse"),
        ("u\u0308ber Straßen & Wege!", "ueber-strassen-wege"),
        ("  Café – 10 % mehr  ", "cafe-10-mehr"),
        ("日本", "ausgabe"),
        ("x" * 150, "x" * 70),
        ("a" * 69 + " b", "a" * 69),
    ],
)
def test_an_address_is_made_of_plain_letters(subject, slug):
    assert writing.free_slug(subject) == slug


@pytest.mark.django_db
def test_an_issue_keeps_its_own_address(now):
    issue = writing.begin(DRAFT, now=now)

    again = writing.save(issue.pk, DRAFT, version=now, now=now + SECOND)

    assert again.slug == issue.slug == "ueber-groesse"


@pytest.mark.django_db
def test_what_was_sent_is_not_written_and_what_was_not_is_not_mended(now):
    issue = issues.draft()
    with pytest.raises(NotSentYet):
        writing.mend(issue.pk, subject="x", body="x", in_archive=True, version=now, now=now)

    Issue.objects.update(status="sent", started_at=now, finished_at=now, candidates=0)

    with pytest.raises(NotADraft):
        writing.save(issue.pk, DRAFT, version=issue.changed_at, now=now)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_save_on_one_version_one_is_told(now):
    issue = writing.begin(DRAFT, now=now)

    def save(word: str, at: datetime) -> Issue:
        return writing.save(issue.pk, replace(DRAFT, body=word), version=now, now=at)

    for _ in range(5):
        Issue.objects.update(changed_at=now)
        got = at_once(lambda: save("a", now + SECOND), lambda: save("b", now + 2 * SECOND))

        (told,) = [each for each in got if isinstance(each, WrittenMeanwhile)]
        (kept,) = [each for each in got if isinstance(each, Issue)]
        assert told.current.body == kept.body == Issue.objects.get().body


@pytest.mark.django_db(transaction=True)
def test_of_two_of_one_name_both_are_kept_or_one_is_told(now):
    got = at_once(*[lambda: writing.begin(DRAFT, now=now)] * 4)

    told = [each for each in got if isinstance(each, SlugTaken)]
    kept = [each for each in got if isinstance(each, Issue)]
    assert len(told) + len(kept) == 4
    assert Issue.objects.count() == len(kept) >= 1


@pytest.mark.django_db(transaction=True)
def test_sending_and_saving_at_once_never_sends_what_nobody_saw_checked(now):
    """Either the saved text is what is scheduled, or saving is refused."""
    issues.readers(1)
    issue = issues.draft()
    for _ in range(5):
        Issue.objects.update(status="draft", send_at=None, changed_at=now)
        got = at_once(
            lambda: running.schedule(issue.pk, at=None, now=now),
            lambda: writing.save(
                issue.pk, replace(DRAFT, body="Neu"), version=now, now=now + SECOND
            ),
        )

        assert Issue.objects.get().status == "scheduled"
        assert isinstance(got[1], NotADraft) or Issue.objects.get().body == "Neu"
        assert not isinstance(got[0], Exception), got[0]
