"""Invoices on their way: with the confirmation, with the refund, on their own, and to be read later."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from booking import deposits, invoice_pdf, invoicing, mail
from booking.models import Alarm, Booking, Invoice, Notification
from booking.tasks import owed_invoices
from pages.models import Practice
from tests.booking.conftest import ADA, BEN, NINE
from tests.booking.desk import pay, queries, words
from tests.booking.papers import address_of, give_back, practice, words_in
from tests.mail_server import text

pytestmark = pytest.mark.usefixtures("clock")

AFTER = timedelta(days=3)
COACH = "coach@praxis.example"


@pytest.fixture(autouse=True)
def _practice(db) -> None:
    practice()


@pytest.fixture
def paid(paid_type, stripe, now) -> Booking:
    return pay(paid_type, stripe, now)


def papers(message) -> list[tuple[str, bytes]]:
    parts = message.iter_attachments()
    return [
        (part.get_filename(), part.get_payload(decode=True))
        for part in parts
        if part.get_content_type() == "application/pdf" and "echnung-" in part.get_filename()
    ]


def test_the_confirmation_brings_the_invoice(paid, mailbox, run_jobs):
    run_jobs()

    [message] = mailbox.to(ADA.email)
    [(name, content)] = papers(message)
    invoice = Invoice.objects.get()
    assert name == "Anzahlungsrechnung-TEST-2027-0001.pdf"
    assert content == bytes(invoice.pdf)
    assert "Deine Rechnung ist ebenfalls dabei." in text(message)
    assert "Anzahlungsrechnung TEST-2027-0001" in words_in(content)


def test_what_came_with_the_confirmation_is_not_mailed_again(paid, mailbox, run_jobs):
    run_jobs()
    owed_invoices(0)
    run_jobs()

    assert len(mailbox.to(ADA.email)) == 1


def test_the_job_leaves_it_to_a_confirmation_that_is_still_to_go(paid, mailbox, run_jobs):
    owed_invoices(0)

    assert Invoice.objects.count() == 1
    run_jobs()
    [message] = mailbox.to(ADA.email)
    assert len(papers(message)) == 1


def test_the_coachs_own_mail_brings_none(paid, mailbox, run_jobs):
    run_jobs()

    assert [papers(message) for message in mailbox.to(COACH)] == [[]]


def test_a_confirmation_goes_without_what_cannot_be_written(paid, mailbox, run_jobs):
    Practice.objects.update(tax_number="")

    run_jobs()

    [message] = mailbox.to(ADA.email)
    assert papers(message) == []
    assert "Deine Rechnung" not in text(message)


def test_a_confirmation_goes_even_if_the_invoice_cannot_be_drawn(
    paid, mailbox, run_jobs, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(invoice_pdf, "draw", lambda data: 1 / 0)
        run_jobs()

    [message] = mailbox.to(ADA.email)
    assert papers(message) == []
    owed_invoices(0)
    run_jobs()
    assert [len(papers(message)) for message in mailbox.to(ADA.email)] == [0, 1]


def test_the_coach_reads_what_is_missing_and_the_guest_gets_the_invoice_later(
    paid, mailbox, run_jobs
):
    Practice.objects.update(tax_number="")
    run_jobs()
    owed_invoices(0)
    run_jobs()
    told = text(mailbox.to(COACH)[-1])
    assert "Eine Rechnung kann nicht geschrieben werden" in told
    assert "(Für die Rechnung fehlt noch: Steuernummer)." in told
    assert "Trag in der Verwaltung nach, was fehlt" in told

    Practice.objects.update(tax_number="12/345/67890")
    owed_invoices(0)
    run_jobs()

    late = mailbox.to(ADA.email)[-1]
    assert late["Subject"] == "Anzahlungsrechnung TEST-2027-0001"
    assert "Der Betrag ist schon bezahlt." in text(late)
    assert len(papers(late)) == 1


def test_the_mail_of_a_refund_brings_the_cancellation(paid, mailbox, run_jobs, now):
    run_jobs()
    give_back(paid, 15000, now=now)
    run_jobs()

    [(name, content)] = papers(mailbox.to(ADA.email)[-1])
    assert name == "Stornorechnung-TEST-2027-0002.pdf"
    assert "Storno zu Anzahlungsrechnung TEST-2027-0001 vom 01.03.2027." in words_in(content)
    assert "Die Stornorechnung dazu findest du im Anhang." in text(mailbox.to(ADA.email)[-1])


def test_the_final_invoice_is_mailed_with_its_day_and_once(paid, mailbox, run_jobs, now):
    run_jobs()
    address_of(paid)
    for _ in range(2):
        invoicing.issue_final(paid, now=now + AFTER)
        run_jobs()

    [_, message] = mailbox.to(ADA.email)
    assert message["Subject"] == "Schlussrechnung TEST-2027-0002"
    said = text(message).replace("\u00a0", " ")
    assert "über 150,00 €. Bitte überweise den Betrag bis Donnerstag, 18. März 2027" in said


def test_a_free_call_has_no_papers_and_asks_for_none(confirmed, mailbox, run_jobs):
    run_jobs()

    assert papers(mailbox.to(ADA.email)[0]) == []
    assert not Alarm.objects.exists()


def test_the_ledger_knows_an_invoice_once(paid, now):
    [invoice] = invoicing.write_owed(paid, now=now)

    for _ in range(2):
        invoicing.mail_to_guest(invoice, now=now)

    assert Notification.objects.filter(invoice=invoice).count() == 1


# --- the guest's own page -------------------------------------------------------------------------


def address(booking: Booking, invoice: Invoice) -> str:
    return reverse("booking:invoice", args=[mail.token(booking), invoice.number])


@pytest.fixture
def invoice(paid, now) -> Invoice:
    [invoice] = invoicing.write_owed(paid, now=now)
    return invoice


def test_the_guest_finds_all_papers_on_the_appointments_page(client, paid, invoice, now):
    give_back(paid, 5000, now=now)
    invoicing.write_owed(paid, now=now)

    page = words(client.get(reverse("booking:booked", args=[mail.token(paid)])))

    assert "Anzahlungsrechnung TEST-2027-0001 (PDF)" in page
    assert "150,00 €, teilweise storniert" in page
    assert "Stornorechnung TEST-2027-0002 (PDF)" in page
    assert address(paid, invoice) in page


def test_an_invoice_is_read_by_its_signed_link_and_kept_by_nobody(client, paid, invoice):
    answer = client.get(address(paid, invoice))

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert answer.content == bytes(invoice.pdf)
    assert "no-store" in answer["Cache-Control"]
    assert "Anzahlungsrechnung-TEST-2027-0001.pdf" in answer["Content-Disposition"]


def test_nobody_reads_the_invoice_of_another_appointment(
    client, paid, invoice, paid_type, stripe, now
):
    other = pay(paid_type, stripe, now, guest=BEN, start=NINE + timedelta(hours=1))

    assert client.get(address(other, invoice)).status_code == 404
    assert client.get(address(paid, invoice).replace(mail.token(paid), "x")).status_code == 404


def test_the_page_asks_as_often_for_many_papers_as_for_one(client, paid, invoice, now):
    page = reverse("booking:booked", args=[mail.token(paid)])
    one = queries(client, page)
    for _ in range(3):
        deposit = paid.deposits.get()
        refund = deposits.refund_by_hand(deposit, 100, by="coach", now=now)
        deposits.send(refund, now=now)
        invoicing.write_owed(paid, now=now)

    assert queries(client, page) == one
