"""What the coach asks before a call, and what becomes of the answers."""

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from booking import mail, scheduling
from booking.forms import DetailsForm
from booking.models import Booking, CallType, Question
from coaching_site import spam
from tests.booking.conftest import BEN, hold, new_type
from tests.booking.test_views_booking import DETAILS, MARK, find, send, words
from tests.mail_server import html, text

pytestmark = pytest.mark.usefixtures("clock")

LINE, TEXT, CHOICE = 1, 2, 3


@pytest.fixture
def questions(call_type) -> dict[int, Question]:
    asked = [
        Question(pk=LINE, text="Wie groß ist dein Team?", required=True),
        Question(pk=TEXT, text="Was hast du versucht?", kind="text"),
        Question(pk=CHOICE, text="Wer fragt?", kind="choice", choices="Ich\r\n Wir \n\nIch"),
    ]
    for position, question in enumerate(asked):
        question.call_type, question.position = call_type, position
        question.save()
    return {question.pk: question for question in asked}


def errors(question: Question, answer: str) -> list[str]:
    data = QueryDict(mutable=True)
    made = spam.stamp(timezone.now() - spam.SHORTEST)
    data.update({"name": "Ada", "email": "ada@example.org", "stamp": made})
    data[f"frage_{question.pk}"] = answer
    form = DetailsForm(data, call_type=CallType(), questions=[question])
    return [str(error) for error in form.errors.get(f"frage_{question.pk}", [])]


def answer(client, address=DETAILS, **changes):
    return send(client, address, **{"frage_1": "Zwölf", **changes})


def test_questions_are_asked_after_the_other_fields_in_their_order(client, questions):
    html = words(client.get(DETAILS))

    places = [html.index(text) for text in ("Worum geht es dir?", *map(str, questions.values()))]
    assert places == sorted(places)
    assert "keine Angabe" in html


def test_another_type_asks_nothing_of_the_kind(client, calendar, questions):
    new_type(calendar, slug="anders")

    html = words(client.get(DETAILS.replace("kennenlernen", "anders")))

    assert "Wie groß ist dein Team?" not in html


@pytest.mark.parametrize(
    ("question", "typed", "sentence"),
    [
        (Question(pk=1, text="Wie?", required=True), "", "Beantworte die Frage „Wie?“."),
        (Question(pk=1, text="Wie?", required=True), " \n", "Beantworte die Frage „Wie?“."),
        (
            Question(pk=1, text="Wie?"),
            "x" * 501,
            "Kürze deine Antwort auf „Wie?“ auf höchstens 500 Zeichen.",
        ),
        (
            Question(pk=1, text="Wie?"),
            "a\nb",
            "Schreib deine Antwort auf „Wie?“ in eine Zeile, ohne Umbrüche.",
        ),
        (
            Question(pk=1, text="Wie?", kind="text"),
            "x" * 2001,
            "Kürze deine Antwort auf „Wie?“ auf höchstens 2000 Zeichen.",
        ),
        (
            Question(pk=1, text="Wer?", kind="choice", choices="Ich", required=True),
            "",
            "Wähle eine Antwort auf „Wer?“.",
        ),
        (
            Question(pk=1, text="Wer?", kind="choice", choices="Ich"),
            "Niemand",
            "Wähle eine Antwort auf „Wer?“.",
        ),
    ],
)
def test_an_answer_that_is_none_gets_a_sentence_that_names_the_question(question, typed, sentence):
    assert errors(question, typed) == [sentence]


@pytest.mark.parametrize(
    ("question", "typed"),
    [
        (Question(pk=1, text="Wie?"), ""),
        (Question(pk=1, text="Wie?"), "x" * 500),
        (Question(pk=1, text="Wie?", kind="text"), "Erstens\r\n\r\nZweitens " + "x" * 1900),
        (Question(pk=1, text="Wer?", kind="choice", choices="Ich"), ""),
        (Question(pk=1, text="Wer?", kind="choice", choices="Ich"), "Ich"),
    ],
)
def test_answers_of_all_kinds_are_welcome(question, typed):
    assert errors(question, typed) == []


def test_a_missing_answer_is_named_and_nothing_typed_is_lost(client, questions):
    response = send(client, frage_2="Alles", frage_3="Wir")

    html = words(response)
    assert response.status_code == 422
    assert '<a href="#id_frage_1">Beantworte die Frage „Wie groß ist dein Team?“.</a>' in html
    assert "Alles" in html
    assert 'value="Wir" aria-invalid="false" id="id_frage_3_2" checked' in html
    assert Booking.objects.count() == 0


def test_answers_are_kept_as_they_were_asked(client, questions):
    review = answer(client, frage_2="Erstens\n\nZweitens", frage_3="Wir").url
    Question.objects.filter(pk=LINE).update(text="Ganz anders?")
    Question.objects.filter(pk=TEXT).delete()

    page = words(client.get(review))

    assert "<dt>Wie groß ist dein Team?</dt> <dd> Zwölf" in page
    assert "Erstens<br><br>Zweitens" in page
    assert "Ganz anders?" not in page
    assert [each["answer"] for each in Booking.objects.get().answers] == [
        "Zwölf",
        "Erstens\n\nZweitens",
        "Wir",
    ]


def test_what_was_not_answered_is_not_shown(client, questions):
    review = answer(client).url

    assert "Wer fragt?" not in words(client.get(review))


def test_the_coach_reads_the_answers_in_the_mail_and_at_the_desk(client, questions, mailbox, now):
    answer(client, frage_2="<b>Viel</b>\nund mehr")
    booking = scheduling.confirm(Booking.objects.get(), now=now)
    mail.confirmation_to_coach(booking)
    client.force_login(get_user_model().objects.create_superuser("coach"))

    desk = words(client.get(reverse("admin:booking_booking_change", args=[booking.pk])))

    (message,) = mailbox.messages
    assert "Wie groß ist dein Team?\nZwölf\n" in text(message)
    assert "Was hast du versucht?\n<b>Viel</b>\nund mehr" in text(message)
    assert "&lt;b&gt;Viel&lt;/b&gt;" in html(message)
    assert "&lt;b&gt;Viel&lt;/b&gt;" in desk
    assert "Wie groß ist dein Team?" in desk


def test_changing_details_brings_the_answers_along(client, questions):
    review = answer(client, frage_3="Wir").url
    change = find(r'href="(/termin/kennenlernen/zeit/[^"]+)"', client.get(review))
    form = client.get(change)

    answer(client, change, form_token=find(MARK, form), frage_1="Dreizehn")

    assert 'value="Zwölf"' in words(form)
    assert 'value="Wir" aria-invalid="false" id="id_frage_3_2" checked' in words(form)
    assert [each["answer"] for each in Booking.objects.get().answers] == ["Dreizehn"]


def test_a_conflict_keeps_the_answers(client, call_type, questions, now):
    hold(call_type, guest=BEN, now=now)

    response = answer(client, frage_2="Erstens\nZweitens")

    assert response.status_code == 409
    assert 'value="Zwölf"' in words(response)
    assert "Erstens Zweitens" in words(response)


@pytest.mark.parametrize("odd", ["a\0b", "\ud800", "Zeile\r\nZeile", "ß" * 1999, "\x1b[31m"])
def test_odd_answers_never_break_a_page(client, questions, odd):
    response = answer(client, frage_2=odd.encode(errors="replace") if "\ud800" in odd else odd)

    assert client.get(response.url).status_code == 200


def test_the_form_takes_one_query_for_its_questions(client, questions, django_assert_num_queries):
    with django_assert_num_queries(5):
        client.get(DETAILS)


def test_a_choice_needs_something_to_choose(call_type):
    for choices in ("", " \n "):
        with (
            pytest.raises(IntegrityError, match="question_has_something_to_choose"),
            transaction.atomic(),
        ):
            Question.objects.create(call_type=call_type, text="?", kind="choice", choices=choices)


def test_each_option_is_there_once():
    assert Question(choices="Ich\r\n Wir \n\nIch").options == ["Ich", "Wir"]


def test_questions_are_written_on_the_page_of_their_type(client, call_type, questions):
    client.force_login(get_user_model().objects.create_superuser("coach"))
    page = client.get(reverse("admin:booking_calltype_change", args=[call_type.pk]))

    assert 'value="Wie groß ist dein Team?"' in words(page)
