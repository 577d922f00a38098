"""What a guest tells us, and how we ask for what is missing."""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.html import escape
from email_validator import EmailNotValidError, validate_email

from booking import orders
from booking.errors import EarlyStartMissing
from booking.invoice_data import SMALL_CENTS
from booking.models import Answer, BillingAddress, Booking, CallType, Question
from booking.scheduling import Billing, Guest
from coaching_site import spam
from pages.consent import ConsentText

Customer = Booking.Customer

BREAKS = ("Cc", "Cs", "Zl", "Zp")
PHONE_MARKS = frozenset("+()/.- \u00a0")
FEWEST_DIGITS = 5
LONGEST_LINE = 500
LONGEST_TEXT = 2000
# Fields of an invoice's address, in the order in which they are asked.
ADDRESS = ("street", "postal_code", "city")
OF_THE_ADDRESS = ("vat_id", *ADDRESS, "country")
BILLING = ("company", *OF_THE_ADDRESS)
GERMANY = "Deutschland"
# Where invoices can be sent without asking a tax adviser, and how many digits a postal code has.
COUNTRIES = {GERMANY: 5, "Österreich": 4}
ABROAD = "Rechnungen an Unternehmen außerhalb Deutschlands schreibe ich von Hand. Schreib mir eine E-Mail."
GERMAN_VAT_ID = re.compile(r"DE[0-9]{9}")
# Kept with every booking that agreed to it, word for word.
FOLLOWUP_CONSENT = "Ja, nach dem Gespräch darfst du mich per E-Mail um eine Rückmeldung bitten."


class NotWrongYet(forms.BoundField):
    """A field nobody has filled in yet: browsers call some invalid from the start unless told otherwise."""

    def build_widget_attrs(
        self, attrs: dict[str, Any], widget: forms.Widget | None = None
    ) -> dict[str, Any]:
        return {"aria-invalid": "false", **super().build_widget_attrs(attrs, widget)}


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


def name_field(label: str = "Name") -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=200,
        validators=[in_one_line],
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={
            "required": "Gib deinen Namen ein.",
            "max_length": "Kürze deinen Namen auf höchstens 200 Zeichen.",
        },
    )


def email_field(hint: str) -> forms.CharField:
    return forms.CharField(
        label="E-Mail-Adresse",
        max_length=254,
        help_text=hint,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"}),
        error_messages={
            "required": "Gib deine E-Mail-Adresse ein.",
            "max_length": "Diese E-Mail-Adresse ist zu lang.",
        },
    )


class ConditionalField(forms.CharField):
    """One that is needed or not, depending on another answer; so nothing calls it optional."""

    is_conditional = True


def line_field(label: str, *, most: int, autocomplete: str, missing: str) -> ConditionalField:
    """One line of whom to bill."""
    return ConditionalField(
        label=label,
        max_length=most,
        required=False,
        validators=[in_one_line],
        widget=forms.TextInput(attrs={"autocomplete": autocomplete}),
        error_messages={
            "required": missing,
            "max_length": f"Kürze das Feld „{label}“ auf höchstens {most} Zeichen.",
        },
    )


class DetailsForm(forms.Form):
    """A guest's details for one type of call. One that costs something asks whom to bill."""

    bound_field_class = NotWrongYet

    name = name_field()
    email = email_field("Dorthin schicke ich die Bestätigung.")
    phone = forms.CharField(
        label="Telefonnummer",
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "tel", "type": "tel"}),
        error_messages={
            "required": "Gib deine Telefonnummer ein.",
            "max_length": "Kürze deine Telefonnummer auf höchstens 40 Zeichen.",
        },
    )
    customer = forms.ChoiceField(
        label="Wie buchst du?",
        # No default: it must be a choice (BGB § 13 in case of doubt).
        choices=[
            (Customer.PRIVATE, "Ich buche privat oder auf eigene Rechnung"),
            (Customer.COMPANY, "Ich buche für ein Unternehmen"),
        ],
        widget=forms.RadioSelect,
        error_messages={
            "required": "Wähle, ob du privat oder für ein Unternehmen buchst.",
            "invalid_choice": "Wähle, ob du privat oder für ein Unternehmen buchst.",
        },
    )
    company = line_field(
        "Firma",
        most=200,
        autocomplete="organization",
        missing="Nenn das Unternehmen. Oder wähle, dass du privat buchst.",
    )
    vat_id = forms.CharField(
        label="USt-IdNr.",
        max_length=20,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"max_length": "Kürze die USt-IdNr. auf höchstens 20 Zeichen."},
    )
    street = line_field(
        "Straße und Hausnummer",
        most=120,
        autocomplete="address-line1",
        missing="Gib Straße und Hausnummer für die Rechnung ein.",
    )
    postal_code = line_field(
        "Postleitzahl",
        most=12,
        autocomplete="postal-code",
        missing="Gib die Postleitzahl für die Rechnung ein.",
    )
    city = line_field(
        "Ort",
        most=100,
        autocomplete="address-level2",
        missing="Gib den Ort für die Rechnung ein.",
    )
    country = forms.ChoiceField(
        label="Land",
        required=False,
        choices=[(name, name) for name in COUNTRIES],
        widget=forms.Select(attrs={"autocomplete": "country-name"}),
        error_messages={"invalid_choice": "Wähle ein Land aus der Liste."},
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
        self.is_order = call_type.price_cents > 0
        self.bills_everybody = call_type.price_cents > SMALL_CENTS
        if self.bills_everybody:
            for name in ADDRESS:
                self.fields[name].required = True
        if not self.is_order:
            # A free call asks for the company as it asks for the topic: whoever likes may tell.
            company = self.fields["company"]
            assert isinstance(company, ConditionalField)
            company.is_conditional = False
            for name in ("customer", *OF_THE_ADDRESS):
                del self.fields[name]
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

    def clean_vat_id(self) -> str:
        vat_id = "".join(self.cleaned_data["vat_id"].split()).upper()
        if vat_id and not GERMAN_VAT_ID.fullmatch(vat_id):
            raise ValidationError("Eine deutsche USt-IdNr. besteht aus DE und neun Ziffern.")
        return vat_id

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
        if "customer" in self.cleaned_data:
            self._check_billing(is_company=self.cleaned_data["customer"] == Customer.COMPANY)
        if not self.errors:  # else the fields have something better to say
            spam.check(self.data)
        return self.cleaned_data

    def _check_billing(self, *, is_company: bool) -> None:
        """What an invoice needs: of companies always, of others above the sum of a short one."""
        for name in self._of_companies:
            if not is_company:
                # What stands there was not meant, and is not needed.
                self.cleaned_data[name] = ""
                self.errors.pop(name, None)
            elif name in ("company", *ADDRESS) and self.cleaned_data.get(name) == "":
                self.add_error(name, self.fields[name].error_messages["required"])
        country = self.cleaned_data.get("country") or GERMANY
        self.cleaned_data["country"] = country
        if is_company and country != GERMANY:
            self.add_error("country", ABROAD)
        digits = self.cleaned_data.get("postal_code", "")
        if digits and not re.fullmatch(rf"[0-9]{{{COUNTRIES[country]}}}", digits):
            self.add_error(
                "postal_code",
                f"Eine Postleitzahl in {country} hat {COUNTRIES[country]} Ziffern.",
            )

    @property
    def billing(self) -> Billing | None:
        """Whom the invoice goes to, if that was asked and told."""
        told = {name: self.cleaned_data.get(name, "") for name in OF_THE_ADDRESS}
        return Billing(**told) if told["street"] else None

    @property
    def personal(self) -> list[forms.BoundField]:
        """Who is coming, and as what they book."""
        return [
            self[name] for name in ("name", "email", "phone", "customer") if name in self.fields
        ]

    @property
    def for_companies(self) -> list[forms.BoundField]:
        """What is asked of companies alone."""
        return [self[name] for name in self._of_companies if self.is_order]

    @property
    def for_everybody(self) -> list[forms.BoundField]:
        """The address of everyone who gets a full invoice."""
        return [self[name] for name in (*ADDRESS, "country") if self.bills_everybody]

    @property
    def about_the_call(self) -> list[forms.BoundField]:
        """The rest, in order."""
        shown = [*self.personal, *self.for_companies, *self.for_everybody]
        names = {field.name for field in shown}
        return [field for field in self.visible_fields() if field.name not in names]

    @property
    def _of_companies(self) -> tuple[str, ...]:
        return ("company", "vat_id") if self.bills_everybody else BILLING

    def guest(self) -> Guest:
        """Who filled the form in."""
        fields = ("name", "email", "company", "phone", "topic", "customer")
        typed = {field: self.cleaned_data.get(field, "") for field in fields}
        agreed = bool(self.cleaned_data.get("followup"))
        wants = bool(self.cleaned_data.get("newsletter"))
        return Guest(
            **typed,
            billing=self.billing,
            answers=tuple(self._answers()),
            followup_consent_text=FOLLOWUP_CONSENT if agreed else "",
            newsletter_consent_text=self.newsletter.text if wants and self.newsletter else "",
        )

    def _answers(self) -> Iterable[Answer]:
        for name, question in self.questions.items():
            if answer := self.cleaned_data[name]:
                yield {"question_id": question.pk, "question": question.text, "answer": answer}


def early_start_field() -> forms.BooleanField:
    """The box that a consumer's call inside the withdrawal period needs. Never ticked beforehand."""
    return forms.BooleanField(
        label=orders.EARLY_START,
        error_messages={"required": EarlyStartMissing.message},
    )


class EarlyStartForm(forms.Form):
    """That box alone, for an appointment that moves into the period."""

    bound_field_class = NotWrongYet

    early_start = early_start_field()


class OrderForm(forms.Form):
    """The one button of an order, with the box above it if it needs one."""

    bound_field_class = NotWrongYet

    early_start = early_start_field()
    # What was on the page: only that is ordered.
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, data: QueryDict | None = None, *, asks_for_early_start: bool, seen: str = ""
    ) -> None:
        super().__init__(None if data is None else _storable(data), initial={"seen": seen})
        if not asks_for_early_start:
            del self.fields["early_start"]


class WithdrawalForm(forms.Form):
    """Just what the law lets a trader ask for (BGB § 356a (2)): who, which contract, where to confirm."""

    name = name_field("Dein Name")
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
    email = email_field("Dorthin geht sofort die Bestätigung, dass dein Widerruf eingegangen ist.")
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
    fields = ("name", "email", "customer", "company", "phone", "topic", "form_token")
    billing = BillingAddress.objects.filter(booking=held).first() if held.price_cents else None
    answers = {_name(each["question_id"]): each["answer"] for each in held.answers}
    typed = {field: getattr(held, field) for field in fields} | answers
    return {
        **typed,
        **({name: getattr(billing, name) for name in OF_THE_ADDRESS} if billing else {}),
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
