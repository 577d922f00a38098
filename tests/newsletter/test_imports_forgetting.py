"""Whoever is erased stands in no list on its way in either: not in its lines, not in its file."""

from __future__ import annotations

import io

import pytest

from newsletter import addresses, preferences
from newsletter.imports import files, forgetting, running
from newsletter.models import Event, Import, ImportPiece, ImportRow
from tests.newsletter.conftest import ADA, DAYS, sign_up
from tests.newsletter.import_tools import (
    PROVEN,
    checked,
    csv_bytes,
    people,
    taken_over,
    upload,
    zipped,
)

pytestmark = pytest.mark.django_db

BOB = "bob@leser.example"
LIST = csv_bytes(
    "E-Mail,Name", f"{ADA},Ada Lovelace", f"{BOB},Bob", f"{ADA},Noch einmal", f"x {ADA}"
)


def forget(address: str = ADA) -> None:
    forgetting.forget(addresses.parse(address))


def kept_bytes() -> bytes:
    return b"".join(bytes(piece.data) for piece in ImportPiece.objects.order_by("pk"))


def test_a_list_that_was_read_goes_on_without_the_person_and_its_file(now):
    run = checked(LIST, now)

    forget()

    run.refresh_from_db()
    assert (run.status, run.may_start, run.may_be_mapped) == ("checked", True, False)
    assert kept_bytes() == b""
    written = str(list(ImportRow.objects.values()))
    assert ADA not in written
    assert "Lovelace" not in written
    taken_over(run, now)
    assert people() == {BOB: "confirmed"}


@pytest.mark.parametrize("state", ["uploaded", "checking", "stopped", "failed"])
def test_one_that_was_not_says_why_and_not_who(now, state):
    run = upload(LIST, now)
    Import.objects.filter(pk=run.pk).update(status=state)

    forget()

    run.refresh_from_db()
    assert (run.status, run.may_be_mapped) == ("failed", False)
    assert "hat verlangt, gelöscht zu werden" in run.problem
    assert ADA not in run.problem
    assert (kept_bytes(), ImportRow.objects.count()) == (b"", 0)


def test_one_that_is_half_taken_over_goes_on(now, monkeypatch):
    monkeypatch.setattr(running, "BATCH", 1)
    run = checked(LIST, now)
    running.start(run, now=now)
    running.work(run.pk, clock=lambda: now, seconds=0)

    forget()
    running.work(run.pk, clock=lambda: now)

    run.refresh_from_db()
    assert run.status == "done"
    assert people()[BOB] == "confirmed"


def test_the_worker_that_reads_it_puts_nothing_back(now, monkeypatch):
    monkeypatch.setattr(running, "BATCH", 1)
    run = upload(LIST, now)
    running.begin_check(run, mapping=run.mapping, provenance=PROVEN, now=now)
    reading = running._Reading(Import.objects.get(pk=run.pk))
    batch = reading.next_batch(0)

    forget()

    assert running._note_checked(run, 0, batch, reading, now) is False
    reading.close()
    assert ImportRow.objects.count() == 0


@pytest.mark.parametrize("encoding", files.ENCODINGS)
@pytest.mark.parametrize("border", [7, 1024])
@pytest.mark.parametrize("spelled", [ADA, "Ada@Leser.Example", "ADA@LESER.EXAMPLE"])
def test_it_is_found_however_the_file_is_written(now, monkeypatch, encoding, border, spelled):
    monkeypatch.setattr(files, "PIECE", border)
    upload(csv_bytes("E-Mail;Name", f"{spelled};Müller", encoding=encoding), now)

    forget()

    assert kept_bytes() == b""


@pytest.mark.parametrize("encoding", files.ENCODINGS)
@pytest.mark.parametrize("spelled", ["Max@münchen.de", "MAX@MÜNCHEN.DE", "max@xn--mnchen-3ya.de"])
def test_so_is_a_domain_with_an_umlaut(now, encoding, spelled):
    upload(csv_bytes("E-Mail;Name", f"{spelled};Müller", encoding=encoding), now)

    forget("max@münchen.de")

    assert kept_bytes() == b""


def test_every_file_of_a_zip_is_looked_at(now):
    data = zipped({"a.csv": csv_bytes("E-Mail", BOB), "b.csv": csv_bytes("E-Mail", ADA)})
    upload(data, now, "listen.zip")

    forget()

    assert kept_bytes() == b""


@pytest.mark.parametrize("other", [f"n{ADA}", f"x.{ADA}", f"{ADA}.org", f"{ADA}s", "ada@x.example"])
def test_a_list_without_the_person_stays_as_it_is(now, other):
    data = csv_bytes("E-Mail", other)
    run = upload(data, now)

    forget()

    run.refresh_from_db()
    assert (run.status, kept_bytes()) == ("uploaded", data)


def test_erasing_reaches_them(now):
    row = sign_up(ADA, now)
    running.take_in("liste.csv", io.BytesIO(LIST), by=None, now=now)

    preferences.erase(row.public_id, by=Event.By.READER, now=now + DAYS)

    assert kept_bytes() == b""
