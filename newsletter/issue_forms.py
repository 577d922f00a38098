"""Forms of the issues' pages: writing, mending, pictures, testing, sending, pace."""

from __future__ import annotations

from copy import copy
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.widgets import AdminRadioSelect, AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import MaxLengthValidator
from django.db.models import Count, Q, QuerySet
from django.http import QueryDict

from coaching_site import german
from coaching_site.pictures import Files, NotAPicture
from newsletter.forms import AddressField
from newsletter.models import Issue, Pace, Picture, Subscriber, Tag
from newsletter.rendering import pictures
from newsletter.writing import Draft

# Far more than a mail may hold, and less than what a request may bring.
LONGEST_BODY = 200_000
MOST_CONNECTIONS = 50
NOW, LATER = "now", "later"
ZONE = ZoneInfo("Europe/Berlin")
FARTHEST = timedelta(days=366)


class VersionField(forms.Field):
    """The time at which what stands in the form was saved; None if that cannot be told."""

    widget = forms.HiddenInput

    def prepare_value(self, value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime) else value

    def to_python(self, value: Any) -> datetime | None:
        try:
            moment = datetime.fromisoformat(str(value or ""))
        except ValueError:
            return None
        return moment if moment.tzinfo else None


class TagsField(forms.ModelMultipleChoiceField[Tag]):
    """Tags, each with how many readers have it."""

    def label_from_instance(self, tag: Any) -> str:
        return f"{tag.name} ({german.number(tag.readers)})"


def tags_with_readers() -> QuerySet[Tag]:
    reachable = Q(
        subscribers__status=Subscriber.Status.CONFIRMED,
        subscribers__unreachable_since__isnull=True,
    )
    return Tag.objects.annotate(readers=Count("subscribers", filter=reachable))


class TextForm(forms.ModelForm[Issue]):
    """What writing and mending share: subject and text, on top of a version."""

    version = VersionField(required=False)
    body = forms.CharField(
        label="Text",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 24, "class": "letter", "spellcheck": "true"}),
        validators=[MaxLengthValidator(LONGEST_BODY)],
        help_text="In Markdown; „So schreibst du“ zeigt, wie.",
    )

    def clean_subject(self) -> str:
        return " ".join(self.cleaned_data["subject"].split())

    def clean_body(self) -> str:
        """Browsers send their own line ends."""
        text: str = self.cleaned_data["body"]
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def changes(self) -> list[dict[str, Any]]:
        """For the desk's history: which fields differ from before."""
        labels = [str(self.fields[name].label) for name in self.changed_data if name != "version"]
        return [{"changed": {"fields": labels}}] if labels else []

    def as_admin_form(self, fieldsets: Any) -> AdminForm:
        return AdminForm(self, fieldsets, {})


class IssueForm(TextForm):
    slug = forms.SlugField(
        label="Adresse im Archiv",
        required=False,
        max_length=80,
        help_text="Leer lassen: Sie entsteht aus dem Betreff.",
        widget=AdminTextInputWidget(),
        error_messages={
            "invalid": "Nur Buchstaben, Ziffern und Bindestriche, ohne Leerzeichen.",
            "unique": "Diese Adresse hat schon eine andere Ausgabe.",
        },
    )
    tags = TagsField(
        Tag.objects.none(),
        label="Nur an diese Schlagwörter",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "invalid_choice": "Dieses Schlagwort gibt es nicht mehr.",
            "invalid_pk_value": "Dieses Schlagwort gibt es nicht.",
        },
    )

    class Meta:
        model = Issue
        fields = ["subject", "preheader", "body", "slug", "in_archive", "tags"]
        widgets = {"subject": AdminTextInputWidget(), "preheader": AdminTextInputWidget()}
        error_messages = {"subject": {"required": "Schreib einen Betreff."}}

    def __init__(self, data: Any = None, *, instance: Issue | None = None) -> None:
        initial = {"version": instance.changed_at} if instance else {}
        # A form writes into its instance before anything is decided, so it gets one of its own.
        super().__init__(data, instance=copy(instance), initial=initial)
        tags = self.fields["tags"]
        assert isinstance(tags, forms.ModelMultipleChoiceField)
        tags.queryset = tags_with_readers()
        tags.help_text = (
            "Ohne Auswahl geht die Ausgabe an alle. In Klammern steht, wie viele das Wort erreicht."
            if tags.queryset.exists()
            else "Noch gibt es keine; die Ausgabe geht an alle."
        )

    def clean_preheader(self) -> str:
        return " ".join(self.cleaned_data["preheader"].split())

    def clean_slug(self) -> str:
        return str(self.cleaned_data["slug"]).lower()

    def draft(self) -> Draft:
        told = self.cleaned_data
        return Draft(
            subject=told["subject"],
            preheader=told["preheader"],
            body=told["body"],
            slug=told["slug"],
            in_archive=told["in_archive"],
            tags=list(told["tags"]),
        )


class MendForm(TextForm):
    class Meta:
        model = Issue
        fields = ["subject", "body", "in_archive"]
        widgets = {"subject": AdminTextInputWidget()}
        error_messages = {"subject": {"required": "Schreib einen Betreff."}}

    def __init__(self, data: Any = None, *, instance: Issue) -> None:
        super().__init__(data, instance=copy(instance), initial={"version": instance.changed_at})

    def words(self) -> dict[str, Any]:
        """What `writing.mend` asks for."""
        return {
            name: self.cleaned_data[name] for name in ("subject", "body", "in_archive", "version")
        }


class PictureForm(forms.ModelForm[Picture]):
    """A new picture; the file itself stays as it is afterwards."""

    # What lies beside it for the archive.
    other_files: Files = {}

    file = forms.FileField(
        label="Bild",
        allow_empty_file=True,  # refused below, in our words
        help_text="JPEG oder PNG, höchstens 15 MB. Es wird verkleinert und von Ort und Kamera befreit.",
        error_messages={"required": "Wähle ein Bild aus."},
        widget=forms.FileInput(attrs={"accept": "image/*"}),
    )

    class Meta:
        model = Picture
        fields = ["file", "alt"]
        widgets = {"alt": AdminTextInputWidget()}
        error_messages = {"alt": {"required": "Beschreib, was auf dem Bild zu sehen ist."}}

    def clean_file(self) -> Any:
        upload = self.cleaned_data["file"]
        if not isinstance(upload, UploadedFile):
            return upload
        try:
            files = pictures.prepared(upload, upload.size or 0)
        except NotAPicture as problem:
            raise ValidationError(str(problem)) from None
        self.other_files = files.others
        return files.main

    def clean_alt(self) -> str:
        return " ".join(self.cleaned_data["alt"].split())


class AltForm(forms.ModelForm[Picture]):
    class Meta:
        model = Picture
        fields = ["alt"]
        widgets = PictureForm.Meta.widgets
        error_messages = PictureForm.Meta.error_messages

    clean_alt = PictureForm.clean_alt


class TestForm(forms.Form):
    """Where a test mail goes."""

    __test__ = False  # pytest, this is no test

    email = AddressField(
        label="E-Mail-Adresse",
        error_messages={"required": "Gib an, wohin die Testmail gehen soll."},
    )


class SendForm(forms.Form):
    """Now, or at a day and time as clocks in Berlin show it."""

    version = VersionField(required=False)
    at = forms.ChoiceField(
        label="Wann?",
        choices=[(NOW, "Jetzt"), (LATER, "Zu dieser Zeit:")],
        initial=NOW,
        widget=AdminRadioSelect(attrs={"class": "radiolist"}),
        error_messages={
            "required": "Wähle, ob jetzt oder später.",
            "invalid_choice": "Wähle, ob jetzt oder später.",
        },
    )
    day = forms.DateField(
        label="Tag",
        required=False,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        error_messages={"invalid": "Schreib den Tag wie 24.11.2026."},
    )
    time = forms.TimeField(
        label="Uhrzeit",
        required=False,
        help_text="Berliner Zeit.",
        widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
        error_messages={"invalid": "Schreib die Uhrzeit wie 14:30."},
    )

    def __init__(self, data: Any = None, *, version: datetime, now: datetime) -> None:
        super().__init__(data, initial={"version": version})
        self.now = now

    def clean(self) -> dict[str, Any]:
        told = self.cleaned_data
        told["send_at"] = None  # as soon as it can no longer be taken back
        if told.get("at") == LATER and not self.errors:
            told["send_at"] = self._chosen(told["day"], told["time"])
        return told

    def _chosen(self, day: date | None, time: Any) -> datetime | None:
        """The instant of day and time; what speaks against it becomes the field's error."""
        if day is None:
            self.add_error("day", "Wähle einen Tag.")
        if time is None:
            self.add_error("time", "Gib eine Uhrzeit ein.")
        if day is None or time is None:
            return None
        if abs(day - self.now.date()) > FARTHEST:
            self.add_error("day", "Wähle einen Tag in den nächsten zwölf Monaten.")
            return None
        wall = datetime.combine(day, time)
        instants = _showings(wall)
        clocks = german.wall_clock(wall.time())
        if not instants:
            self.add_error(
                "time",
                f"{clocks} gibt es an diesem Tag nicht: Die Uhr wird vorgestellt und überspringt "
                "diese Zeit. Wähle eine andere.",
            )
        elif len(instants) > 1:
            self.add_error(
                "time",
                f"{clocks} gibt es in dieser Nacht zweimal: Die Uhr wird zurückgestellt. "
                "Wähle eine Zeit davor oder danach.",
            )
        elif instants[0] <= self.now:
            self.add_error("day", "Diese Zeit ist schon vorbei. Wähle eine spätere oder „Jetzt“.")
        else:
            return instants[0]
        return None


class PaceForm(forms.ModelForm[Pace]):
    class Meta:
        model = Pace
        fields = ["per_second", "per_minute", "per_hour", "per_day", "connections"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget = forms.NumberInput(attrs={"min": 1, "class": "vIntegerField"})
            field.error_messages |= {
                "invalid": "Schreib eine ganze Zahl, zum Beispiel 100.",
                "required": "Schreib eine Zahl von 1 bis 50.",
            }
            if name != "connections":
                field.help_text = "Leer heißt: keine Grenze."

    def clean(self) -> dict[str, Any]:
        told: dict[str, Any] = super().clean() or self.cleaned_data
        connections = told.get("connections")
        if connections is not None and connections > MOST_CONNECTIONS:
            self.add_error("connections", f"Höchstens {MOST_CONNECTIONS}.")
        return told


def show_version(form: forms.BaseForm, version: datetime) -> None:
    """Shown again, the form stands on top of this version."""
    shown = cast("QueryDict", form.data).copy()
    shown["version"] = version.isoformat()
    form.data = shown


def as_admin(form: forms.BaseForm) -> AdminForm:
    """Any form in the admin's dress; hidden fields are the page's business."""
    shown = [name for name, field in form.fields.items() if not field.widget.is_hidden]
    fields: Any = [(None, {"fields": shown})]
    # The stubs ask for a ModelForm; the class itself shows any form.
    return AdminForm(cast("Any", form), fields, {})


def _showings(wall: datetime) -> list[datetime]:
    """The instants in UTC at which clocks in Berlin show this: none in spring's gap, two in autumn's."""
    instants = {wall.replace(tzinfo=ZONE, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(i for i in instants if i.astimezone(ZONE).replace(tzinfo=None) == wall)
