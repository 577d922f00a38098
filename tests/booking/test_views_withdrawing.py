"""The withdrawal form: open to everybody, without cookies, and never saying whether a booking was found."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from booking import mail
from booking.models import Withdrawal
from coaching_site import spam
from pages import views
from pages.models import Practice
from tests.booking.conftest import ADA
from tests.booking.desk import pay, words

pytestmark = pytest.mark.usefixtures("db", "clock")

FORM = "/vertrag-widerrufen/"
NETWORK = "93.184.216.34"
LINK = '<a class="button-quiet withdraw" href="/vertrag-widerrufen/">Vertrag widerrufen</a>'


@pytest.fixture
def send(client, now):
    def post(**changes):
        typed = {
            "name": "Ada Müller",
            "contract": "AAAAAAAA",
            "email": ADA.email,
            "message": "",
            "website": "",
            "stamp": spam.stamp(now - timedelta(minutes=1)),
            **changes,
        }
        return Client(enforce_csrf_checks=True).post(FORM, typed, REMOTE_ADDR=NETWORK)

    return post


# --- the form -------------------------------------------------------------------------------------


def test_the_form_asks_for_nothing_but_name_contract_address_and_a_voluntary_message(client):
    html = client.get(FORM).content.decode()

    names = set(re.findall(r'<(?:input|textarea)[^>]* name="([^"]+)"', html))
    assert names == {"name", "contract", "email", "message", "website", "stamp"}
    assert "Widerruf bestätigen</button>" in html
    assert not re.search(r'<input[^>]*type="(checkbox|radio)"', html)
    assert "<script" not in html


def test_it_works_without_cookies_and_sets_none(send):
    answer = send()

    assert answer.status_code == 303
    assert not answer.cookies
    assert Withdrawal.objects.count() == 1


def test_the_page_after_it_shows_the_whole_declaration_and_its_time_with_zone(client, send):
    answer = send(message="Erste Zeile\n<b>zweite</b>")
    shown = words(client.get(answer["Location"]))

    for sentence in (
        "Montag, 1. März 2027, 09:00 Uhr, Berliner Zeit (MEZ)",
        "Ich widerrufe den genannten Vertrag.",
        "Ada Müller",
        "AAAAAAAA",
        ADA.email,
        "Erste Zeile<br>&lt;b&gt;zweite&lt;/b&gt;",
        "Das bestätigt den Eingang.",
    ):
        assert sentence in shown


def test_nobody_reads_a_declaration_without_its_link(client, send):
    address = send()["Location"]

    assert client.get(address).status_code == 200
    assert client.get("/vertrag-widerrufen/eingegangen/1/").status_code == 404
    assert client.get(f"{address[:-3]}xx/").status_code == 404


def test_a_visitor_cannot_tell_whether_a_booking_was_found(client, send, confirmed):
    found = words(client.get(send(contract=confirmed.reference)["Location"]))
    lost = words(client.get(send(contract="AAAAAAAA", email="x@example.org")["Location"]))

    assert Withdrawal.objects.filter(booking=confirmed).count() == 1
    typed = found.replace(confirmed.reference, "AAAAAAAA").replace(ADA.email, "x@example.org")
    assert typed == lost


@pytest.mark.parametrize("message", ["Siehe https://example.org/a?b=c", "www.example.org", "🙂"])
def test_links_in_the_message_are_accepted(send, message):
    assert send(message=message).status_code == 303
    assert Withdrawal.objects.get().message == message


@pytest.mark.parametrize("email", ["ada", "ada@", "ada@example.org\r\nBcc: x@example.org", ""])
def test_an_address_that_is_none_is_asked_again_and_all_that_was_typed_stays(send, email):
    answer = send(email=email, message="Meine Worte", contract="Sparring am 3.3.")
    shown = words(answer)

    assert answer.status_code == 422
    assert "Gib " in shown
    assert "Meine Worte" in shown
    assert 'value="Sparring am 3.3."' in shown
    assert not Withdrawal.objects.exists()


@pytest.mark.parametrize("bad", [{"website": "x"}, {"stamp": ""}, {"stamp": "fast"}])
def test_a_robot_is_held_back_and_a_person_gets_through_the_second_time(send, now, bad):
    if bad == {"stamp": "fast"}:
        bad = {"stamp": spam.stamp(now)}
    answer = send(**bad)

    assert answer.status_code == 422
    assert "Bitte schick es noch einmal ab" in words(answer)
    assert send().status_code == 303


def test_the_eleventh_in_a_quarter_of_an_hour_is_told_the_other_way(send, clock, now):
    Practice.objects.create(email="praxis@example.org")
    for _ in range(10):
        assert send().status_code == 303
    answer = send()

    assert answer.status_code == 429
    assert "auch per E-Mail an praxis@example.org schicken; das gilt genauso" in words(answer)
    clock(now + timedelta(minutes=16))
    assert send(stamp=spam.stamp(now)).status_code == 303


def test_a_link_from_a_mail_fills_the_form_in(client, confirmed):
    shown = words(client.get(mail.withdraw_url(confirmed)))

    assert f'value="Buchungsnummer {confirmed.reference}"' in shown
    assert f'value="{ADA.email}"' in shown


def test_a_mangled_link_opens_the_empty_form(client, confirmed):
    for token in ("x", confirmed.reference, mail.token(confirmed), "\0"):
        answer = client.get(FORM, {"termin": token})
        assert answer.status_code == 200
        assert ADA.email not in words(answer)


# --- where it is found ----------------------------------------------------------------------------


PAGES = (
    "/",
    "/angebot/",
    "/impressum/",
    "/datenschutz/",
    "/agb/",
    "/widerruf/",
    "/barrierefreiheit/",
    "/termin/",
    "/newsletter/",
    "/newsletter/archiv/",
    "/vertrag-widerrufen/",
)


def crawl(client: Client) -> dict[str, str]:
    """Every page of our own that links lead to, by its address."""
    found: dict[str, str] = {}
    waiting = list(PAGES)
    while waiting:
        address = waiting.pop()
        if address in found:
            continue
        answer = client.get(address)
        if answer.status_code == 302:
            continue
        found[address] = html = answer.content.decode()
        links = re.findall(r'href="(/[^"#]*)', html)
        # Whatever has a dot is a file.
        waiting += [link.replace("&amp;", "&") for link in links if "." not in link]
    return found


def test_the_button_stands_on_every_page(client, call_type):
    pages = crawl(client)

    assert len(pages) > 15
    assert [address for address, html in pages.items() if LINK not in squeezed(html)] == []


def squeezed(html: str) -> str:
    return " ".join(html.split())


@pytest.mark.parametrize(
    "address", ["/gibt-es-nicht/", "/termin/gebucht/kaputt/", "/newsletter/bestaetigen/kaputt/"]
)
def test_the_button_stands_on_pages_that_are_not_there(client, address):
    answer = client.get(address)

    assert answer.status_code >= 400
    assert LINK in squeezed(answer.content.decode())


def test_the_button_stands_where_a_form_was_refused(call_type):
    refused = Client(enforce_csrf_checks=True).post("/termin/pruefen/x/")

    assert refused.status_code == 403
    assert LINK in squeezed(refused.content.decode())


@pytest.mark.parametrize("handler", ["bad_request", "forbidden", "server_error"])
def test_the_button_stands_on_error_pages(rf, handler):
    request = rf.get("/")
    arguments = [] if handler == "server_error" else [Exception()]

    answer = getattr(views, handler)(request, *arguments)

    assert LINK in squeezed(answer.content.decode())


def test_the_button_stands_on_the_error_page_when_the_database_is_away(rf, monkeypatch):
    def away() -> None:
        raise OSError

    monkeypatch.setattr(Practice, "current", away)

    assert LINK in squeezed(views.server_error(rf.get("/")).content.decode())


def test_the_appointments_own_page_says_until_when_and_links_the_form(
    client, paid_type, stripe, now
):
    booking = pay(paid_type, stripe, now)

    shown = words(client.get(reverse("booking:booked", args=[mail.token(booking)])))

    assert "bis Montag, 15. März 2027, 24:00 Uhr (Berliner Zeit)" in shown
    assert f'<a href="{mail.withdraw_url(booking)}">Vertrag widerrufen</a>' in shown


def test_when_the_period_is_over_the_page_says_so(client, paid_type, stripe, now, clock):
    booking = pay(paid_type, stripe, now)
    clock(now + timedelta(days=15))

    shown = words(client.get(reverse("booking:booked", args=[mail.token(booking)])))

    assert (
        "Die Widerrufsfrist ist am Montag, 15. März 2027, 24:00 Uhr (Berliner Zeit) abgelaufen."
        in shown
    )


def test_a_free_call_has_no_period(client, confirmed):
    shown = words(client.get(reverse("booking:booked", args=[mail.token(confirmed)])))

    assert "<h2>Widerruf</h2>" not in shown


def test_the_statutory_notice_names_the_very_address(client):
    assert f"{settings.SITE_URL}/vertrag-widerrufen/" in words(client.get("/widerruf/"))


def test_without_an_address_of_the_practice_the_other_way_is_a_letter(send, monkeypatch):
    Practice.objects.update(email="")
    monkeypatch.setattr("booking.views.withdrawing.SENDS_A_NETWORK", 0)

    assert "auch per Brief erklären" in words(send())
    assert not Withdrawal.objects.exists()
