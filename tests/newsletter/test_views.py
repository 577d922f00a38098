"""What visitors and mail programs see. No GET changes anything, and no answer tells on anyone."""

import re
import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from coaching_site import spam, tracing
from newsletter import mail, subscriptions, tokens
from newsletter.models import Consent, Subscriber, Suppression, suppression_hashes
from pages.models import Practice
from tests.newsletter.conftest import ADA, path_in, sign_up

pytestmark = pytest.mark.django_db

FORM = "/newsletter/"
ONE_CLICK = "List-Unsubscribe=One-Click"
EMPTY = "Gib deine E-Mail-Adresse ein."
ODD = "Gib eine E-Mail-Adresse wie name@firma.de ein."


def shown(response) -> str:
    """The page's words, one space between them."""
    return " ".join(response.content.decode().split())


def form_values(client) -> dict[str, str]:
    page = shown(client.get(FORM))
    found = re.search(r'name="consent" value="(\w+)"', page)
    assert found is not None
    return {"consent": found[1], "stamp": spam.stamp(timezone.now() - timedelta(minutes=1))}


def post(client, email: str):
    return client.post(FORM, {**form_values(client), "email": email})


@pytest.fixture
def confirm_path(client, mailbox, run_jobs) -> str:
    post(client, ADA)
    run_jobs()
    return path_in(mailbox.messages[0], "bestaetigen")


@pytest.fixture
def leave_path(reader) -> str:
    return mail.unsubscribe_url(reader).removeprefix("http://localhost:8000")


# --- the form ---


def test_a_visitor_signs_up_confirms_and_leaves(client, mailbox, run_jobs):
    answer = client.post(FORM, {**form_values(client), "email": "  Max@Leser.Example "})
    run_jobs()
    assert (answer.status_code, answer["Location"]) == (303, "/newsletter/postfach/")
    assert "Fast geschafft: Schau in dein Postfach" in shown(client.get(answer["Location"]))

    confirmed = client.post(path_in(mailbox.messages[0], "bestaetigen"))
    assert confirmed.status_code == 303
    assert confirmed["Location"].startswith("/newsletter/willkommen/")
    assert "Du bist dabei" in shown(client.get(confirmed["Location"]))
    row = Subscriber.objects.get()
    assert (row.address, row.status) == ("Max@leser.example", "confirmed")

    left = client.post(mail.unsubscribe_url(row).removeprefix("http://localhost:8000"))
    assert "Du bist abgemeldet" in shown(left)


def test_the_text_beside_the_button_is_the_text_that_is_stored(client):
    page = shown(client.get(FORM))

    post(client, ADA)

    row = Consent.objects.get()
    assert f">{row.text}<" in page
    assert row.page == FORM


def test_the_text_names_sender_content_and_the_way_back():
    Practice.objects.create(pk=1, first_name="Kim", last_name="Muster")

    page = shown(Client().get(FORM))

    for words in (
        "Kim Muster",
        "VPs Engineering",
        "jederzeit",
        "widerrufen",
        'href="/datenschutz/"',
    ):
        assert words in page


@pytest.mark.parametrize(("rhythm", "promised"), [("alle zwei Wochen", True), ("", False)])
def test_frequency_is_named_only_if_the_coach_promises_it(client, rhythm, promised):
    Practice.objects.create(pk=1, newsletter_rhythm=rhythm)

    assert ("per E-Mail schickt, alle zwei Wochen." in shown(client.get(FORM))) is promised


def test_the_number_of_readers_is_the_coachs_or_is_not_claimed(client):
    row = Practice.objects.create(pk=1, readers_value="123")
    assert "Werde ein Teil von 123 CTOs" in shown(client.get(FORM))

    row.readers_value = ""
    row.save()

    assert "Werde ein Teil" not in shown(client.get(FORM))


def test_consent_to_a_text_that_changed_meanwhile_is_asked_for_again(client):
    values = {**form_values(client), "email": ADA}
    Practice.objects.create(pk=1, newsletter_rhythm="täglich")

    response = client.post(FORM, values)

    assert response.status_code == 422
    assert "Der Text über dem Knopf hat sich geändert." in shown(response)
    assert f'value="{ADA}"' in shown(response)
    assert form_values(client)["consent"] in shown(response)
    assert Subscriber.objects.count() == 0


@pytest.mark.parametrize(
    ("typed", "kept", "sentence"),
    [
        ("", "", EMPTY),
        ("   ", "", EMPTY),
        ("max@localhost", "max@localhost", ODD),
        ("Max <max@example.de>", "Max &lt;max@example.de&gt;", ODD),
        ("jörg@example.de", "jörg@example.de", ODD),
        ("max\x00@example.de", "max", ODD),
        (f"{'x' * 300}@example.de", "x" * 300, ODD),
        ("max@ex\u200bample.de", "max@ex\u200bample.de", ODD),
        ('"><script>alert(1)</script>@x.de', "&quot;&gt;&lt;script&gt;", ODD),
    ],
)
def test_a_wrong_address_is_explained_and_kept(client, typed, kept, sentence):
    response = post(client, typed)

    page = shown(response)
    assert response.status_code == 422
    assert "<title> Fehler:" in page or "<title>Fehler:" in page
    assert page.partition("<main")[2].count(sentence) == 2  # in the summary and at the field
    assert 'aria-invalid="true"' in page
    assert kept in page
    assert "<script>alert" not in page
    assert Subscriber.objects.count() == 0


def test_half_a_surrogate_pair_is_an_error_and_not_a_crash(client):
    body = b'--frontier\r\nContent-Disposition: form-data; name="email"\r\n\r\n\\ud800@b.de\r\n--frontier--\r\n'

    # `post` would encode the body once more.
    response = client.generic(
        "POST",
        FORM,
        body,
        content_type="multipart/form-data; boundary=frontier; charset=unicode_escape",
    )

    assert response.status_code == 422
    assert ODD in shown(response)


def test_an_empty_post_is_an_error_and_not_a_crash(client):
    response = client.post(FORM)

    assert response.status_code == 422
    assert EMPTY in shown(response)


def test_known_unknown_and_suppressed_addresses_get_the_same_answer_to_the_byte(reader, now):
    sign_up("pending@leser.example", now)
    left = sign_up("left@leser.example", now)
    subscriptions.unsubscribe(left.public_id, now=now)
    Suppression.objects.create(
        address_hash=suppression_hashes("eve@leser.example")[0], reason="complaint", created_at=now
    )

    answers = set()
    for address in (
        ADA,
        "pending@leser.example",
        "left@leser.example",
        "eve@leser.example",
        "new@leser.example",
    ):
        client = Client()
        answer = post(client, address)
        page = client.get(answer["Location"])
        for differs_anyhow in ("Expires", tracing.HEADER):
            del answer[differs_anyhow]
        answers.add((answer.status_code, answer.content, str(answer.headers), page.content))
        assert address not in str(answer.headers) + page.content.decode()

    assert len(answers) == 1


def test_the_form_asks_for_the_address_alone_and_ticks_nothing(client):
    page = shown(client.get(FORM)).partition("<main")[2]

    assert "checkbox" not in page
    assert 'autocomplete="email"' in page
    assert "novalidate" in page
    without_the_trap = re.sub(
        r'<div class="visually-hidden" aria-hidden="true">.*?</div>', "", page
    )
    assert len(re.findall(r"<input(?! type=.hidden)", without_the_trap)) == 1


def test_a_robot_reads_success_and_nothing_is_stored(client):
    answer = client.post(
        FORM, {**form_values(client), "email": ADA, "website": "https://x.example"}
    )

    assert (answer.status_code, answer["Location"]) == (303, "/newsletter/postfach/")
    assert Subscriber.objects.count() == Consent.objects.count() == 0


def test_a_form_sent_too_fast_is_asked_for_again_and_keeps_the_address(client):
    answer = client.post(FORM, {**form_values(client), "email": ADA, "stamp": ""})

    assert answer.status_code == 422
    assert spam.SEND_AGAIN in shown(answer)
    assert f'value="{ADA}"' in shown(answer)
    assert Subscriber.objects.count() == 0


def test_a_forged_form_is_refused(now):
    strict = Client(enforce_csrf_checks=True)

    assert post(strict, ADA).status_code == 403


@pytest.mark.parametrize("path", ["/newsletter/postfach/", "/newsletter/link/unterwegs/"])
def test_pages_without_a_form_set_no_cookie(client, path):
    response = client.get(path)

    assert (response.status_code, response.cookies) == (200, {})
    assert 'content="noindex"' in shown(response)


# --- the confirmation link ---


def test_opening_the_link_writes_nothing_however_often(client, confirm_path):
    before = list(Subscriber.objects.values()), list(Consent.objects.values())

    for _ in range(20):
        response = client.get(confirm_path)
        client.head(confirm_path)

    assert (list(Subscriber.objects.values()), list(Consent.objects.values())) == before
    assert shown(response).count("<button") == 1
    assert "Anmeldung bestätigen" in shown(response)


def test_the_button_works_without_cookie_and_csrf_token(confirm_path):
    strict = Client(enforce_csrf_checks=True)
    strict.get(confirm_path)

    response = strict.post(confirm_path, headers={"Origin": "null"})

    assert response.status_code == 303
    assert Subscriber.objects.get().status == "confirmed"


def test_pressing_twice_is_as_good_as_once(client, confirm_path):
    client.post(confirm_path)

    assert client.post(confirm_path)["Location"].startswith("/newsletter/willkommen/")
    again = client.get(confirm_path)
    assert (again.status_code, "schon bestätigt" in shown(again)) == (200, True)


def test_an_expired_link_leads_back_to_the_form_once_the_sign_up_is_forgotten(client, confirm_path):
    subscriptions.forget_unconfirmed(now=timezone.now() + subscriptions.REQUEST_LIFE)

    for response in (client.get(confirm_path), client.post(confirm_path)):
        assert response.status_code == 410
        assert "Dieser Link gilt nicht mehr." in shown(response)
        assert 'href="/newsletter/">Noch einmal eintragen' in shown(response)


@pytest.mark.parametrize("tail", [".", ">", "=3D", ")/", ").", "%00", "%ED%A0%80", ".%E2%80%9C"])
def test_a_link_with_something_glued_to_it_still_works(client, confirm_path, tail):
    glued = confirm_path.rstrip("/") + tail

    assert client.post(glued).status_code == 303


@pytest.mark.parametrize("token", ["x", "%00", "%ED%A0%80", "..", "a/b/c", "x" * 5000])
@pytest.mark.parametrize("page", ["bestaetigen", "abmelden"])
def test_a_mangled_link_gets_a_friendly_page(client, page, token):
    for response in (
        client.get(f"/newsletter/{page}/{token}"),
        client.post(f"/newsletter/{page}/{token}"),
    ):
        assert response.status_code == 410
        assert re.search("<h1[^>]*>Dieser ", shown(response))


# --- the way out ---


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", ONE_CLICK),
        (
            "multipart/form-data; boundary=b",
            '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
        ),
        ("multipart/form-data; boundary=b", "torn"),
        ("text/plain", ""),
    ],
)
def test_a_mail_program_unsubscribes_with_one_click_and_no_redirect(
    reader, leave_path, content_type, body
):
    machine = Client(enforce_csrf_checks=True)

    answers = [machine.post(leave_path, body, content_type=content_type) for _ in range(2)]

    reader.refresh_from_db()
    assert [answer.status_code for answer in answers] == [200, 200]
    assert reader.status == "unsubscribed"
    assert Consent.objects.exclude(withdrawn_at=None).count() == 1


def test_opening_the_way_out_changes_nothing_however_often(client, reader, leave_path):
    for _ in range(20):
        response = client.get(leave_path)
        client.head(leave_path)

    reader.refresh_from_db()
    assert reader.status == "confirmed"
    assert shown(response).count("<button") == 1


def test_whoever_left_sees_that_they_left(client, leave_path):
    client.post(leave_path)

    assert "Du bist abgemeldet" in shown(client.get(leave_path))


def test_the_link_outlives_key_and_row(client, reader, leave_path, settings):
    settings.LINK_KEYS = ["a-new-key-that-nobody-knows-yet-" * 2, *settings.LINK_KEYS]
    assert client.post(leave_path).status_code == 200

    erased = f"/newsletter/abmelden/{tokens.unsubscribe_token(uuid.uuid4())}/"

    assert "Du bist abgemeldet" in shown(client.post(erased))


def test_nobody_is_unsubscribed_by_a_forged_link(client, reader, leave_path):
    forged = f"/newsletter/abmelden/{reader.public_id}.{'A' * 43}/"

    assert client.post(forged).status_code == 410
    assert "Du bist noch nicht abgemeldet" in shown(client.get(forged))
    reader.refresh_from_db()
    assert reader.status == "confirmed"


def test_pages_behind_links_are_kept_by_nobody_and_set_no_cookie(client, reader, leave_path):
    for path in (leave_path, "/newsletter/bestaetigen/x/", "/newsletter/abmelden/x/"):
        response = client.get(path)

        assert response["Cache-Control"] == "no-store"
        assert response["Referrer-Policy"] == "no-referrer"
        assert response["X-Robots-Tag"] == "noindex"
        assert 'content="noindex"' in shown(response)
        assert response.cookies == {}
