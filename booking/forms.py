"""What a guest tells us, and how we ask for what is missing."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.html import escape
from email_validator import EmailNotValidError, validate_email

from booking.models import Answer, Booking, CallType, Question
from booking.scheduling import Guest
from coaching_site import spam
from pages.consent import ConsentText

BREAKS = ("Cc", "Cs", "Zl", "Zp")
PHONE_MARKS = frozenset("+()/.- \u00a0")
FEWEST_DIGITS = 5
LONGEST_LINE = 500
LONGEST_TEXT = 2000
# Kept with every booking that agreed to it, word for word.
FOLLOWUP_CONSENT = "Ja, nach dem Gespräch darfst du mich per E-Mail um eine Rückmeldung bitten."


def one_line_or(sentence: str) -> Callable[[str], None]:
    """A validator: no line breaks and no other control characters."""

    def validate(text: str) -> None:
        if any(unicodedata.category(letter) in BREAKS for letter in text):
            raise ValidationError(sentence)

    return validate


in_one_line = one_line_or("Schreib das in eine Zeile, ohne Umbrüche.")


def one_spelling(address: str) -> str:
    """The address as everybody writes it. Raises ValidationError if it is none."""
    try:
        checked = validate_email(
            address, allow_smtputf8=False, check_deliverability=False, strict=True
        )
    except EmailNotValidError:
        raise ValidationError("Gib eine E-Mail-Adresse wie name@firma.de ein.") from None
    return checked.normalized


class DetailsForm(forms.Form):
    """A guest's details for one type of call."""

    name = forms.CharField(
        label="Name",
        max_length=200,
        validators=[in_one_line],
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={
            "required": "Gib deinen Namen ein.",
            "max_length": "Kürze deinen Namen auf höchstens 200 Zeichen.",
        },
    )
    email = forms.CharField(
        label="E-Mail-Adresse",
        max_length=254,
        help_text="Dorthin schicke ich die Bestätigung.",
        widget=forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"}),
        error_messages={
            "required": "Gib deine E-Mail-Adresse ein.",
            "max_length": "Diese E-Mail-Adresse ist zu lang.",
        },
    )
    phone = forms.CharField(
        label="Telefonnummer",
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "tel", "type": "tel"}),
        error_messages={
            "required": "Gib deine Telefonnummer ein.",
            "max_length": "Kürze deine Telefonnummer auf höchstens 40 Zeichen.",
        },
    )
    company = forms.CharField(
        label="Firma",
        max_length=200,
        required=False,
        validators=[in_one_line],
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
        error_messages={"max_length": "Kürze den Namen der Firma auf höchstens 200 Zeichen."},
    )
    topic = forms.CharField(
        label="Worum geht es dir?",
        max_length=2000,
        required=False,
        help_text="Bitte keine Gesundheitsdaten und keine Geheimnisse deines Arbeitgebers.",
        widget=forms.Textarea(attrs={"rows": 5}),
        error_messages={"max_length": "Kürze deinen Text auf höchstens 2000 Zeichen."},
    )
    website = spam.Honeypot()
    stamp = spam.Stamp()
    form_token = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        call_type: CallType,
        questions: Iterable[Question] = (),
        held: Booking | None = None,
        newsletter: ConsentText | None = None,
    ) -> None:
        super().__init__(
            None if data is None else _storable(data),
            initial=_typed_before(held) if held else {"form_token": uuid.uuid4()},
        )
        if call_type.asks_for_phone:
            self.fields["phone"].help_text = call_type.place_detail
        else:
            del self.fields["phone"]
        self.questions = {_name(question.pk): question for question in questions}
        for name, question in self.questions.items():
            self.fields[name] = _field(question)
        if call_type.follow_up_hours is not None:
            self.fields["followup"] = forms.BooleanField(
                label=FOLLOWUP_CONSENT,
                required=False,
                help_text="Freiwillig. Du kannst es jederzeit mit einer kurzen E-Mail zurücknehmen.",
            )
        self.newsletter = newsletter
        if newsletter is not None:
            self.fields["newsletter"] = forms.BooleanField(
                label=newsletter.opening,
                required=False,
                help_text=escape(newsletter.rest),
                widget=forms.CheckboxInput(attrs={"value": newsletter.sha256}),
            )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if "://" in name:
            raise ValidationError("Schreib nur deinen Namen, ohne Link.")
        if not any(letter.isalnum() for letter in name):
            raise ValidationError("Gib deinen Namen ein.")
        return name

    def clean_email(self) -> str:
        return one_spelling(self.cleaned_data["email"])

    def clean_phone(self) -> str:
        phone: str = self.cleaned_data["phone"]
        digits = sum(letter in "0123456789" for letter in phone)
        others = {letter for letter in phone if letter not in "0123456789"}
        if digits < FEWEST_DIGITS or not others <= PHONE_MARKS:
            raise ValidationError("Gib eine Telefonnummer wie +49 170 1234567 ein.")
        return phone

    def clean_form_token(self) -> uuid.UUID:
        """The form's own mark. A mangled one is nobody's mistake: it gets a new one."""
        try:
            return uuid.UUID(self.cleaned_data["form_token"])
        except ValueError:
            return uuid.uuid4()

    def clean_newsletter(self) -> bool:
        """A tick counts for the words that stood beside it, and for no others."""
        is_ticked: bool = self.cleaned_data["newsletter"]
        if is_ticked and self.newsletter and self.data["newsletter"] != self.newsletter.sha256:
            raise ValidationError(
                "Der Text am Kästchen zum Newsletter hat sich geändert. Bitte lies ihn noch einmal."
            )
        return is_ticked

    def clean(self) -> dict[str, Any]:
        if not self.errors:  # else the fields have something better to say
            spam.check(self.data)
        return self.cleaned_data

    def guest(self) -> Guest:
        """Who filled the form in."""
        fields = ("name", "email", "company", "phone", "topic")
        typed = {field: self.cleaned_data.get(field, "") for field in fields}
        agreed = bool(self.cleaned_data.get("followup"))
        wants = bool(self.cleaned_data.get("newsletter"))
        return Guest(
            **typed,
            answers=tuple(self._answers()),
            followup_consent_text=FOLLOWUP_CONSENT if agreed else "",
            newsletter_consent_text=self.newsletter.text if wants and self.newsletter else "",
        )

    def _answers(self) -> Iterable[Answer]:
        for name, question in self.questions.items():
            if answer := self.cleaned_data[name]:
                yield {"question_id": question.pk, "question": question.text, "answer": answer}


class WithdrawalForm(forms.Form):
    """Just what the law lets a trader ask for (BGB § 356a (2)): who, which contract, where to confirm."""

    name = forms.CharField(
        label="Dein Name",
        max_length=200,
        validators=[in_one_line],
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={
            "required": "Gib deinen Namen ein.",
            "max_length": "Kürze deinen Namen auf höchstens 200 Zeichen.",
        },
    )
    contract = forms.CharField(
        label="Welchen Vertrag widerrufst du?",
        max_length=500,
        validators=[in_one_line],
        help_text="Die Buchungsnummer aus deiner Bestätigung. Hast du sie nicht, genügen Datum und Uhrzeit des Termins.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={
            "required": "Schreib, um welchen Vertrag es geht, zum Beispiel die Buchungsnummer.",
            "max_length": "Kürze die Angabe zum Vertrag auf höchstens 500 Zeichen.",
        },
    )
    email = forms.CharField(
        label="E-Mail-Adresse",
        max_length=254,
        help_text="Dorthin geht sofort die Bestätigung, dass dein Widerruf eingegangen ist.",
        widget=forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"}),
        error_messages={
            "required": "Gib deine E-Mail-Adresse ein.",
            "max_length": "Diese E-Mail-Adresse ist zu lang.",
        },
    )
    message = forms.CharField(
        label="Nachricht",
        max_length=5000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"max_length": "Kürze die Nachricht auf höchstens 5000 Zeichen."},
    )
    website = spam.Honeypot()
    stamp = spam.Stamp()

    def __init__(
        self, data: QueryDict | None = None, *, initial: dict[str, str] | None = None
    ) -> None:
        super().__init__(None if data is None else _storable(data), initial=initial)

    def clean_email(self) -> str:
        return one_spelling(self.cleaned_data["email"])

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        spam.check(self.data)
        return cleaned


def _name(question_id: int) -> str:
    return f"frage_{question_id}"


def _field(question: Question) -> forms.Field:
    """The field for a question; each sentence names it, as a page may have several."""
    named = f"„{question.text}“"
    if question.kind == Question.Kind.CHOICE:
        choose = f"Wähle eine Antwort auf {named}."
        no_answer = [] if question.required else [("", "keine Angabe")]
        return forms.ChoiceField(
            label=question.text,
            required=question.required,
            choices=[*no_answer, *((option, option) for option in question.options)],
            widget=forms.RadioSelect,
            error_messages={"required": choose, "invalid_choice": choose},
        )
    is_line = question.kind == Question.Kind.LINE
    most = LONGEST_LINE if is_line else LONGEST_TEXT
    one_line = one_line_or(f"Schreib deine Antwort auf {named} in eine Zeile, ohne Umbrüche.")
    return forms.CharField(
        label=question.text,
        required=question.required,
        max_length=most,
        validators=[one_line] if is_line else [],
        widget=forms.TextInput if is_line else forms.Textarea(attrs={"rows": 5}),
        error_messages={
            "required": f"Beantworte die Frage {named}.",
            "max_length": f"Kürze deine Antwort auf {named} auf höchstens {most} Zeichen.",
        },
    )


def _typed_before(held: Booking) -> dict[str, Any]:
    fields = ("name", "email", "company", "phone", "topic", "form_token")
    answers = {_name(each["question_id"]): each["answer"] for each in held.answers}
    typed = {field: getattr(held, field) for field in fields} | answers
    return {
        **typed,
        "followup": held.followup_consent_at is not None,
        "newsletter": bool(held.newsletter_consent_text),
    }


def _storable(data: QueryDict) -> QueryDict:
    """What Postgres can store and a page can show again: no NUL and no half surrogate pairs."""
    storable = QueryDict(mutable=True)
    for name, values in data.lists():
        storable.setlist(
            name,
            [value.replace("\0", "").encode(errors="replace").decode() for value in values],
        )
    return storable
