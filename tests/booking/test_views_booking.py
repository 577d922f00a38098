"""Details, review, booked: the private half of the way."""

import re
import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from booking import cancellation, mail, scheduling
from booking.models import Booking
from booking.scheduling import HOLD_LIFE
from coaching_site import spam
from tests.booking.conftest import ADA, BEN, NINE, hold, new_type

pytestmark = pytest.mark.usefixtures("clock")

DETAILS = "/termin/kennenlernen/zeit/20270303T080000Z/"
MARK = r'name="form_token" value="([^"]+)"'
ANSWERS = {"name": ADA.name, "email": ADA.email, "topic": "Mein Team"}


def words(response) -> str:
    return " ".join(response.content.decode().split())


def find(pattern: str, response) -> str:
    """The part in brackets of what the page must contain."""
    found = re.search(pattern, response.content.decode())
    assert found is not None, pattern
    return found[1]


def send(client, address=DETAILS, **changes):
    """A guest who took a minute to fill the form in."""
    made = spam.stamp(timezone.now() - timedelta(minutes=1))
    return client.post(address, {**ANSWERS, "form_token": uuid.uuid4(), "stamp": made, **changes})


def test_the_whole_way_without_a_script(client, call_type, mailbox, run_jobs):
    token = find(MARK, client.get(DETAILS))
    review = send(client, form_token=token)
    booked = client.post(review.url)

    html = words(client.get(booked.url))
    run_jobs()
    booking = Booking.objects.get()
    assert "Dein Termin ist gebucht" in html
    assert booking.reference in html
    assert "https://video.example/raum" in html
    assert len(mailbox.to(ADA.email)) == 1


def test_opening_the_form_holds_nothing(client, call_type):
    html = words(client.get(DETAILS))

    assert Booking.objects.count() == 0
    assert "Mittwoch, 3. März 2027" in html
    assert "Schritt 3 von 4" in html


def test_the_review_names_the_real_end_of_the_hold(client, call_type, clock, now):
    clock(now + timedelta(minutes=5))

    html = words(client.get(send(client).url))

    assert "gehalten bis 09:20 Uhr" in html
    assert "Kostenlos buchen" in html


def test_the_summary_stands_right_before_its_button(client, call_type):
    html = words(client.get(send(client).url))

    assert re.search(
        r'</dl> <p class="actions"> <button type="submit" class="button">Kostenlos buchen', html
    )


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"name": ""}, "Gib deinen Namen ein."),
        ({"email": ""}, "Gib deine E-Mail-Adresse ein."),
        ({"email": "ada@firma"}, "Gib eine E-Mail-Adresse wie name@firma.de ein."),
    ],
)
def test_a_mistake_is_named_and_nothing_typed_is_lost(client, call_type, answers, sentence):
    response = send(client, **answers)

    html = words(response)
    assert response.status_code == 422
    assert sentence in html
    assert re.search("<title> ?Fehler: Deine Angaben", html)
    assert "Mein Team" in html
    assert Booking.objects.count() == 0


def test_who_comes_too_late_keeps_their_answers_and_gets_three_other_times(client, call_type, now):
    hold(call_type, guest=BEN, now=now)

    response = send(client)

    html = words(response)
    assert response.status_code == 409
    assert "Dieser Termin wurde gerade vergeben." in html
    assert "Deine Angaben sind noch da – wähle eine andere Zeit." in html
    assert ADA.name in html
    assert html.count("formaction=") == 3


def test_another_time_is_one_press_away(client, call_type, now):
    hold(call_type, guest=BEN, now=now)
    other = find(r'formaction="([^"]+)"', send(client))

    response = send(client, other)

    assert response.status_code == 302
    assert Booking.objects.filter(name=ADA.name, status="held").count() == 1


@pytest.mark.parametrize(
    ("instant", "sentence"),
    [
        ("20270222T080000Z", "Diese Zeit ist schon vorbei."),
        ("20270301T100000Z", "So kurzfristig geht es nicht mehr."),
        ("20270303T081000Z", "Diese Zeit wird nicht angeboten."),
        ("20270303T200000Z", "Diese Zeit wird nicht angeboten."),
        ("20270306T080000Z", "Diese Zeit wird nicht angeboten."),
        ("20280303T080000Z", "So weit im Voraus ist der Kalender noch nicht offen."),
        ("21991231T235959Z", "So weit im Voraus ist der Kalender noch nicht offen."),
        ("20010101T000000Z", "Diese Zeit ist schon vorbei."),
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_forged_time_is_refused_in_a_sentence(client, call_type, instant, sentence, method):
    address = f"/termin/kennenlernen/zeit/{instant}/"
    response = client.get(address) if method == "get" else send(client, address)

    html = words(response)
    assert response.status_code == 409
    assert sentence in html
    assert html.count("/termin/kennenlernen/zeit/20270") >= 3
    assert Booking.objects.count() == 0


@pytest.mark.parametrize(
    "instant",
    [
        *("20270303T080000", "20271303T080000Z", "20270303T250000Z", "99991231T235959Z", "x"),
        # The day of these has no address in every zone.
        *("29991231T235959Z", "20000101T000000Z"),
    ],
)
def test_a_mangled_time_is_not_there(client, call_type, instant):
    assert send(client, f"/termin/kennenlernen/zeit/{instant}/").status_code == 404


def test_what_costs_money_cannot_be_booked_by_a_forged_form(client, calendar):
    new_type(calendar, slug="teuer", price_cents=100)

    response = send(client, "/termin/teuer/zeit/20270303T080000Z/")

    assert (response.status_code, response.url) == (302, "/termin/teuer/")
    assert Booking.objects.count() == 0


def test_a_double_click_is_one_booking(client, call_type):
    form = uuid.uuid4()

    first, second = send(client, form_token=form), send(client, form_token=form)

    assert (first.status_code, first.url) == (second.status_code, second.url)
    assert Booking.objects.count() == 1


@pytest.mark.parametrize("token", ["", "keins", "0" * 500, "\0"])
def test_a_mangled_form_mark_does_no_harm(client, call_type, token):
    assert send(client, form_token=token).status_code == 302


def test_the_details_of_a_hold_can_be_changed(client, call_type):
    review = send(client).url
    change = find(r'href="(/termin/kennenlernen/zeit/[^"]+)"', client.get(review))
    form = client.get(change)
    token = find(MARK, form)

    again = send(client, change, form_token=token, name="Ada Lang")

    assert ADA.email in words(form)
    assert "Ada Lang" in words(client.get(again.url))
    assert Booking.objects.count() == 1


def test_the_time_of_a_hold_can_be_changed_and_the_answers_stay(client, call_type):
    review = send(client).url
    times = find(r'href="(/termin/kennenlernen/2027-03-03/[^"]+)"', client.get(review))
    other = find(r'href="(/termin/kennenlernen/zeit/20270303T093000Z/[^"]+)"', client.get(times))
    form = client.get(other)
    token = find(MARK, form)

    send(client, other, form_token=token)

    booking = Booking.objects.get()
    assert ADA.name in words(form)
    assert booking.start == NINE + timedelta(hours=1, minutes=30)


def test_the_back_button_after_booking_leads_to_the_booking(client, call_type):
    form = uuid.uuid4()
    review = send(client, form_token=form).url
    client.post(review)

    assert client.get(review).url == client.post(review).url
    assert client.get(send(client, form_token=form).url).status_code == 302
    assert Booking.objects.count() == 1


def test_after_the_hold_the_page_asks_again_and_one_press_books(client, call_type, clock, now):
    review = send(client).url
    clock(now + HOLD_LIFE)

    asked = client.post(review)
    booked = client.post(review, {"erneut": "ja"})

    assert asked.status_code == 409
    assert "Der Termin ist noch frei – jetzt noch einmal bestätigen?" in words(asked)
    assert 'name="erneut"' in asked.content.decode()
    assert Booking.objects.get().is_confirmed
    assert "gebucht" in booked.url


def test_opening_the_review_after_the_hold_changes_nothing(client, call_type, clock, now):
    review = send(client).url
    clock(now + HOLD_LIFE)

    assert client.get(review).status_code == 200
    assert Booking.objects.get().held_until == now + HOLD_LIFE


def test_after_the_hold_a_lost_time_leads_to_others_with_the_answers(client, call_type, clock, now):
    review = send(client).url
    clock(now + HOLD_LIFE)
    hold(call_type, guest=BEN, now=now + HOLD_LIFE)

    response = client.post(review, {"erneut": "ja"})
    other = find(r'href="(/termin/kennenlernen/zeit/[^"]+)"', response)

    assert response.status_code == 409
    assert ADA.name in words(client.get(other))


def test_the_time_can_be_given_back(client, call_type, now):
    review = send(client).url

    response = client.post(review.replace("pruefen", "freigeben"))

    assert "Die Zeit ist wieder frei" in words(response)
    assert hold(call_type, guest=BEN, now=now).status == "held"


def test_giving_back_a_booked_call_does_nothing(client, call_type):
    review = send(client).url
    client.post(review)

    client.post(review.replace("pruefen", "freigeben"))

    assert Booking.objects.get().is_confirmed


def test_pages_file_and_mail_of_a_visitor_abroad_agree_on_the_instant(
    client, call_type, mailbox, run_jobs
):
    review = send(client, f"{DETAILS}?tz=America/New_York").url
    booked = client.post(review).url
    run_jobs()

    html = words(client.get(booked))
    file = client.get(booked.replace("gebucht", "kalender").rstrip("/") + ".ics")
    for place in (html, words(client.get(booked.replace("gebucht", "absagen")))):
        assert "03:00" in place
        assert "09:00 Uhr, Berliner Zeit (MEZ)" in place
    assert b"DTSTART:20270303T080000Z" in file.content
    assert "03:00" in mailbox.to(ADA.email)[0].get_body(("plain",)).get_content()


def test_opening_the_link_cancels_nothing_but_its_button_does(client, confirmed):
    address = f"/termin/absagen/{mail.token(confirmed)}/"

    for _ in range(2):
        assert client.get(address).status_code == client.head(address).status_code == 200
    confirmed.refresh_from_db()
    assert confirmed.is_confirmed

    after = client.post(address, follow=True)
    assert "Dein Termin ist abgesagt" in words(after)
    assert client.post(address, follow=True).status_code == 200


def test_a_call_that_has_begun_is_not_called_off_by_its_guest(client, confirmed, clock):
    clock(confirmed.start)

    response = client.post(f"/termin/absagen/{mail.token(confirmed)}/")

    assert response.status_code == 409
    assert "Dieser Termin hat schon begonnen." in words(response)


def test_a_mere_hold_has_nothing_to_call_off(client, held):
    address = f"/termin/absagen/{mail.token(held)}/"

    assert "Dieser Termin ist nicht gebucht." in words(client.get(address))
    assert client.post(address).status_code == 409


def test_the_booked_page_shows_how_it_stands(client, held, now):
    address = f"/termin/gebucht/{mail.token(held)}/"

    assert client.get(address).url == f"/termin/pruefen/{mail.token(held)}/"
    scheduling.confirm(held, now=now)
    assert "Dein Termin ist gebucht" in words(client.get(address))
    cancellation.cancel_by_coach(held, now=now, note="Ich bin krank.")
    assert "Ich bin krank." in words(client.get(address))


def test_mail_programs_may_leave_punctuation_at_a_links_end(client, confirmed):
    assert client.get(f"/termin/gebucht/{mail.token(confirmed)}).,/").status_code == 200


@pytest.mark.parametrize("page", ["pruefen", "gebucht", "absagen", "freigeben", "kalender"])
@pytest.mark.parametrize("token", ["K7QF3M2P", "K7QF3M2P.falsch", "ü%00.x", "x" * 2000])
def test_a_mangled_link_says_so_and_shows_ways_on(client, call_type, page, token):
    end = ".ics" if page == "kalender" else "/"
    send_it = client.post if page == "freigeben" else client.get

    response = send_it(f"/termin/{page}/{token}{end}")

    assert response.status_code == 404
    assert "Dieser Link führt zu keinem Termin" in words(response)


def test_a_token_of_another_purpose_opens_nothing(client, confirmed):
    assert client.get(f"/termin/gebucht/{confirmed.reference}.{'A' * 43}/").status_code == 404


@pytest.mark.parametrize("page", ["pruefen", "gebucht", "absagen"])
def test_private_pages_are_neither_stored_nor_indexed(client, held, confirmed, page):
    address = f"/termin/{page}/{mail.token(confirmed)}/"

    response = client.get(address)

    assert "no-store" in response["Cache-Control"]
    assert response.status_code == 302 or 'content="noindex"' in response.content.decode()


def test_a_form_is_never_stored(client, call_type):
    assert "no-store" in client.get(DETAILS)["Cache-Control"]


@pytest.mark.parametrize(
    "name", ["Ada\0", "Ada \\ud800", "\x1b[31m", "Zeile\r\nBcc: x@y.de", "ß" * 201]
)
def test_odd_names_never_break_a_page(client, call_type, name):
    assert send(client, name=name).status_code in (302, 422)


def test_half_a_surrogate_pair_smuggled_in_by_an_encoding_breaks_nothing(client, call_type):
    body = (
        b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nAda \\ud800\r\n'
        b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\nkeine\r\n--x--\r\n'
    )

    response = client.post(
        DETAILS, body, content_type="multipart/form-data; boundary=x; charset=unicode_escape"
    )

    assert response.status_code in (400, 422)


def test_a_form_without_its_csrf_token_is_refused(call_type):
    assert send(Client(enforce_csrf_checks=True)).status_code == 403


@pytest.mark.parametrize("held", ["", "quatsch", "K7QF3M2P.falsch", "%00", "%ED%A0%80"])
def test_a_mangled_hold_in_the_address_is_ignored(client, call_type, held):
    assert client.get(f"{DETAILS}?gehalten={held}").status_code == 200


def test_a_page_never_shows_details_of_a_booked_call_in_a_new_form(client, confirmed, call_type):
    other = "/termin/kennenlernen/zeit/20270304T080000Z/"

    html = words(client.get(f"{other}?gehalten={mail.token(confirmed)}"))

    assert ADA.email not in html
