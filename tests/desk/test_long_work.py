"""Large exports: made by the worker, stopped, begun anew, handed to one person, gone after a day."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.module_loading import import_string
from procrastinate.contrib.django.models import ProcrastinateJob

from coaching_site.desk import export_kinds, long_work, permissions, retention
from coaching_site.desk.models import LongWork, LongWorkPiece
from newsletter import exports
from newsletter.models import Import, Issue, Subscriber
from tests.newsletter import issues

pytestmark = pytest.mark.django_db

WORK = "/verwaltung/arbeiten/"
SUBSCRIBERS = "/verwaltung/newsletter/subscriber/"
KIND = export_kinds.BY_NAME["people"]
PEOPLE = 7
State = LongWork.State


@pytest.fixture(autouse=True)
def small_portions(monkeypatch) -> None:
    monkeypatch.setattr(exports, "PORTION", 2)


@pytest.fixture
def readers(db) -> list[int]:
    return [row.pk for row in issues.readers(PEOPLE)]


@pytest.fixture
def large(monkeypatch) -> None:
    """One row is already too many to be handed out at once."""
    monkeypatch.setitem(export_kinds.BY_NAME, "people", replace(KIND, at_once=0))


@pytest.fixture
def asked(readers, admin_user, now) -> LongWork:
    return long_work.ask(
        KIND,
        file_name="abos.csv",
        rows=readers,
        total=len(readers),
        by=admin_user.pk,
        now=now,
    )


def whole(rows: list[int], now: datetime) -> bytes:
    return b"".join(part.data for part in long_work.parts(KIND, rows, now=now))


def clock_that(now: datetime, deed: Callable[[], object], *, at: int) -> Callable[[], datetime]:
    """A clock on which something happens when it is looked at for that time: in mid-work."""
    looks = []

    def clock() -> datetime:
        looks.append(1)
        if len(looks) == at:
            deed()
        return now

    return clock


def jobs_waiting() -> int:
    return ProcrastinateJob.objects.filter(task_name=long_work.JOB, status="todo").count()


def helper(client: Client, *codenames: str) -> Client:
    user = User.objects.create_user("hilfe", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    client.force_login(user)
    return client


# --- asked for, made, handed out --------------------------------------------------------------


def test_a_large_export_is_made_by_the_worker_and_downloaded(
    admin_client, readers, large, run_jobs, now
):
    chosen = {"action": "export", "_selected_action": readers}
    answer = admin_client.post(SUBSCRIBERS, chosen)
    work = LongWork.objects.get()
    assert answer["Location"] == f"{WORK}{work.pk}/"
    assert "wartet" in admin_client.get(answer["Location"]).content.decode().lower()

    run_jobs()

    work.refresh_from_db()
    assert (work.state, work.done, work.total) == ("done", PEOPLE, PEOPLE)
    page = admin_client.get(answer["Location"])
    assert "Herunterladen" in page.content.decode()
    assert not page.has_header("Refresh")
    file = admin_client.get(f"{WORK}{work.pk}/datei/")
    content = file.getvalue()
    assert hashlib.sha256(content).hexdigest() == work.sha256
    assert len(content) == work.size == int(file["Content-Length"])
    assert file["Content-Disposition"] == 'attachment; filename="newsletter-abos.csv"'
    assert "no-store" in file["Cache-Control"]
    found = list(csv.DictReader(content.decode("utf-8-sig").splitlines(), delimiter=";"))
    by_page = Subscriber.objects.in_bulk(work.rows)
    assert [row["E-Mail-Adresse"] for row in found] == [by_page[pk].address for pk in work.rows]


def test_a_small_export_is_handed_out_at_once(admin_client, readers, now):
    answer = admin_client.post(SUBSCRIBERS, {"action": "export", "_selected_action": readers})

    assert answer.content.count(b"\r\n") == PEOPLE + 1
    assert not LongWork.objects.exists()


def test_work_and_job_are_written_together_or_not_at_all(readers, admin_user, now):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        long_work.ask(KIND, file_name="x.csv", rows=readers, total=7, by=admin_user.pk, now=now)
        raise ZeroDivisionError

    assert (LongWork.objects.count(), jobs_waiting()) == (0, 0)


def test_one_worker_makes_one_file_after_the_other(asked, readers, admin_user, run_jobs, now):
    long_work.ask(KIND, file_name="b.csv", rows=readers, total=7, by=admin_user.pk, now=now)
    assert jobs_waiting() == 1

    assert run_jobs() == [long_work.JOB] * 2
    assert set(LongWork.objects.values_list("state", flat=True)) == {"done"}


def test_every_kind_is_made_of_what_there_is_and_guarded_by_what_there_is(now):
    known = {
        f"{row.content_type.app_label}.{row.codename}"
        for row in Permission.objects.select_related("content_type")
    }
    assert permissions.EXPORT in known
    for kind in export_kinds.ALL:
        assert kind.permission in known
        assert callable(import_string(kind.maker))
        once, twice = (list(long_work.parts(kind, [], now=now)) for _ in range(2))
        assert once == twice


# --- stopped, killed, wrong -------------------------------------------------------------------


def test_a_stop_is_obeyed_with_the_next_part_and_leaves_nothing(asked, now):
    clock = clock_that(now, lambda: long_work.stop(asked.pk, now=now), at=4)

    long_work.make(asked, clock=clock)

    asked.refresh_from_db()
    assert (asked.state, asked.done) == ("stopped", 2)
    assert not LongWorkPiece.objects.exists()
    assert not long_work.stop(asked.pk, now=now)


def test_what_was_stopped_begins_anew_and_is_the_same_file(asked, readers, run_jobs, now):
    long_work._begin(asked, now)
    long_work.stop(asked.pk, now=now)
    run_jobs()
    assert long_work.again(asked.pk)
    asked.refresh_from_db()
    assert not asked.progress(now + timedelta(hours=1)).is_silent

    run_jobs()

    asked.refresh_from_db()
    assert (asked.state, long_work.again(asked.pk)) == ("done", False)
    assert b"".join(long_work.content(asked)) == whole(readers, asked.asked_at)


def test_a_worker_thought_dead_writes_nothing_more(asked, readers, now):
    """The second begins and ends while the first is between two parts, and the first comes back."""
    back_from_the_dead(asked, now)

    assert (asked.state, asked.attempt) == ("done", 2)
    assert b"".join(long_work.content(asked)) == whole(readers, asked.asked_at)


def test_if_it_were_not_for_its_attempt_it_would_spoil_the_file(asked, readers, now, monkeypatch):
    monkeypatch.setattr(
        long_work, "_mine", lambda work, attempt: LongWork.objects.filter(pk=work.pk)
    )

    back_from_the_dead(asked, now)

    assert asked.state == "failed"


def back_from_the_dead(work: LongWork, now: datetime) -> None:
    clock = clock_that(now, lambda: long_work.make(LongWork.objects.get()), at=4)
    long_work.make(work, clock=clock)
    work.refresh_from_db()


def test_an_error_ends_it_with_a_sentence_and_a_lost_database_does_not(asked, now):
    def lose_the_database() -> None:
        raise OperationalError("gone")

    with pytest.raises(OperationalError):
        long_work.make(asked, clock=clock_that(now, lose_the_database, at=3))
    asked.refresh_from_db()
    assert asked.state == "running"

    long_work.make(asked, clock=clock_that(now, lambda: 1 / 0, at=3))

    asked.refresh_from_db()
    assert (asked.state, asked.problem) == ("failed", long_work.WENT_WRONG)
    assert not LongWorkPiece.objects.exists()


def test_what_nobody_works_at_is_found_and_begun_anew(asked, run_jobs, now):
    long_work._begin(asked, now)
    ProcrastinateJob.objects.all()._raw_delete("default")
    assert long_work.keep_going(now=now + timedelta(minutes=1)) == 0

    assert long_work.keep_going(now=now + timedelta(minutes=3)) == 1

    run_jobs()
    asked.refresh_from_db()
    assert (asked.state, asked.attempt) == ("done", 2)


def test_large_parts_are_cut_into_pieces(asked, readers, run_jobs, monkeypatch, now):
    monkeypatch.setattr(long_work, "PIECE_BYTES", 50)

    run_jobs()

    assert max(len(row.data) for row in LongWorkPiece.objects.all()) == 50
    assert b"".join(long_work.content(asked)) == whole(readers, asked.asked_at)


@pytest.mark.parametrize(
    ("promise", "values"),
    [
        ("state_is_known", {"state": "odd"}),
        ("counts_no_row_twice", {"done": PEOPLE + 1}),
        ("done_has_its_file", {"state": "done", "ended_at": "now", "expires_at": "now"}),
        ("ended_expires", {"state": "stopped"}),
        ("failed_says_why", {"state": "failed", "ended_at": "now", "expires_at": "now"}),
        (
            "gone_names_no_rows",
            {"state": "stopped", "ended_at": "now", "expires_at": "now", "is_gone": True},
        ),
    ],
)
def test_the_database_keeps_what_the_work_promises(asked, now, promise, values):
    values = {name: now if value == "now" else value for name, value in values.items()}

    with pytest.raises(IntegrityError, match=f"desk_long_work_{promise}"), transaction.atomic():
        LongWork.objects.update(**values)


def test_a_piece_is_small(asked):
    with pytest.raises(IntegrityError, match="piece_is_small"), transaction.atomic():
        LongWorkPiece.objects.create(work=asked, number=0, data=bytes(1024 * 1024 + 1))


# --- gone after a day -------------------------------------------------------------------------


def test_after_a_day_nothing_of_the_file_is_left(asked, run_jobs, admin_client):
    run_jobs()
    asked.refresh_from_db()
    assert asked.expires_at is not None
    assert asked.ended_at is not None
    assert asked.expires_at - asked.ended_at == timedelta(hours=24)
    LongWork.objects.update(expires_at=timezone.now())

    # Also before the job comes by.
    assert admin_client.get(f"{WORK}{asked.pk}/datei/").status_code == 404
    retention.carry_out(now=timezone.now())

    asked.refresh_from_db()
    assert (asked.is_gone, asked.rows, asked.state) == (True, [], "done")
    assert not LongWorkPiece.objects.exists()
    assert "Datei gelöscht" in admin_client.get(f"{WORK}{asked.pk}/").content.decode()
    assert long_work.forget_old(now=timezone.now() + timedelta(days=4 * 366)) == 1


def test_the_coach_deletes_a_file_at_once_and_a_second_press_finds_nothing(
    asked, run_jobs, admin_client
):
    run_jobs()
    deed = f"{WORK}{asked.pk}/tun/"

    first = admin_client.post(deed, {"remove": "1"}, follow=True).content.decode()
    again = admin_client.post(deed, {"remove": "1"}, follow=True).content.decode()

    assert "Die Datei ist gelöscht." in first
    assert "Das geht hier gerade nicht mehr." in again
    assert not LongWorkPiece.objects.exists()


# --- who may ----------------------------------------------------------------------------------


def test_only_who_asked_gets_the_file(asked, run_jobs, client):
    run_jobs()
    other = helper(client, "export_data", "view_subscriber")

    assert other.get(f"{WORK}{asked.pk}/").status_code == 200
    assert other.get(f"{WORK}{asked.pk}/datei/").status_code == 403
    assert f"{WORK}{asked.pk}/datei/" not in other.get(WORK).content.decode()


@pytest.mark.parametrize("granted", [["view_subscriber"], ["export_data"]])
def test_without_both_permissions_there_is_no_export(asked, readers, run_jobs, client, granted):
    run_jobs()
    other = helper(client, *granted)
    LongWork.objects.update(asked_by=User.objects.get(username="hilfe"))

    closed = [
        other.get(f"{WORK}{asked.pk}/"),
        other.get(f"{WORK}{asked.pk}/datei/"),
        other.post(f"{WORK}{asked.pk}/tun/", {"remove": "1"}),
        other.post("/verwaltung/newsletter/import/export/", {"format": "csv"}),
    ]
    assert {answer.status_code for answer in closed} == {403}
    assert "Abos als Tabelle" not in other.get(WORK).content.decode()
    answer = other.post(SUBSCRIBERS, {"action": "export", "_selected_action": readers})
    assert not answer.has_header("Content-Disposition")


# --- the page ---------------------------------------------------------------------------------


def at_work(now: datetime, admin_user: User, number: int) -> None:
    """One of each that runs."""
    issue = issues.draft(f"Ausgabe {number}")
    Issue.objects.filter(pk=issue.pk).update(
        status="sending", send_at=now, started_at=now, candidates=1
    )
    Import.objects.create(
        file_name=f"liste{number}.csv",
        created_at=now,
        status="running",
        taking_over=True,
        total=10,
        position=4,
        started_at=now - timedelta(seconds=4),
        moved_at=now,
    )
    LongWork.objects.create(
        kind="people",
        file_name="abos.csv",
        asked_by=admin_user,
        asked_at=now,
        state="running",
        total=100,
        done=25,
        started_at=now - timedelta(seconds=60),
        moved_at=now,
    )


def test_the_page_shows_all_that_runs_and_follows_it(admin_client, admin_user):
    at_work(timezone.now(), admin_user, 0)

    page = admin_client.get(WORK)

    text = page.content.decode()
    for words in ("Ausgabe 0", "liste0.csv", "4 von 10 Zeilen", "25 von 100 Abos", "noch etwa 3"):
        assert words in text
    assert text.count("<progress") == 3
    assert (text.count("Anhalten<"), text.count("Abbrechen<")) == (2, 1)
    assert page["Refresh"] == "5"
    assert not admin_client.get(f"{WORK}?ruhig=ja").has_header("Refresh")


def test_the_page_asks_as_little_for_many_as_for_one(client, admin_user):
    other = helper(
        client, "export_data", "view_subscriber", "view_issue", "change_issue", "add_import"
    )

    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert other.get(WORK).status_code == 200
        return len(asked)

    at_work(timezone.now(), admin_user, 0)
    few = questions()
    for number in range(1, 5):
        at_work(timezone.now(), admin_user, number)

    assert questions() == few < 15
