"""Forms of the import's pages: the file, how to read it, and where the list is from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.utils import timezone

from newsletter.import_models import TAG_LENGTH, Import, ImportFile
from newsletter.imports import columns, files
from newsletter.imports.running import Preview, Provenance

COLUMN_CHOICES = [("", "nicht übernehmen"), *((c.value, columns.LABELS[c]) for c in columns.Column)]


class UploadForm(forms.Form):
    file = forms.FileField(
        label="Datei",
        allow_empty_file=True,  # the rules refuse it, in their words
        help_text=(
            "CSV aus jedem Programm, oder die ZIP-Datei aus Mailchimp. Höchstens "
            f"{files.MAX_BYTES // files.MEGABYTE} MB."
        ),
        error_messages={"required": "Wähle eine Datei aus."},
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt,.zip"}),
    )


class ReadingForm(forms.ModelForm[ImportFile]):
    """How one file is read, and what its columns are."""

    encoding = forms.ChoiceField(label="Zeichensatz", choices=list(files.ENCODINGS.items()))
    delimiter = forms.ChoiceField(label="Trennzeichen", choices=list(files.DELIMITERS.items()))

    class Meta:
        model = ImportFile
        fields = ["encoding", "delimiter", "has_header", "everyone"]

    def __init__(self, data: Any, *, preview: Preview) -> None:
        file = preview.file
        super().__init__(data, instance=file, prefix=f"datei{file.number}")
        self.preview = preview


class MappingForm(forms.Form):
    """One choice a column; the same heading in several files is one column."""

    def __init__(self, data: Any, *, headings: Sequence[str], mapping: dict[str, str]) -> None:
        super().__init__(data)
        self.headings = list(headings)
        for number, heading in enumerate(headings):
            self.fields[f"spalte{number}"] = forms.ChoiceField(
                label=heading,
                choices=COLUMN_CHOICES,
                required=False,
                initial=mapping.get(heading, ""),
            )

    def clean(self) -> dict[str, Any]:
        chosen = [value for value in self.cleaned_data.values() if value]
        for value in sorted(set(chosen)):
            if chosen.count(value) > 1:
                label = columns.LABELS[columns.Column(value)]
                self.add_error(None, f"„{label}“ kann nur eine Spalte sein.")
        if columns.Column.EMAIL.value not in chosen:
            self.add_error(None, "Sag, in welcher Spalte die E-Mail-Adressen stehen.")
        return self.cleaned_data

    def mapping(self) -> dict[str, str]:
        return {
            heading: value
            for number, heading in enumerate(self.headings)
            if (value := self.cleaned_data.get(f"spalte{number}"))
        }

    def field_of(self, heading: str) -> forms.BoundField:
        return self[f"spalte{self.headings.index(heading)}"]


class ProvenanceForm(forms.ModelForm[Import]):
    consent_date = forms.DateField(
        label="Wann haben die Leute eingewilligt?",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="Der späteste Tag, wenn es verschiedene waren.",
    )

    class Meta:
        model = Import
        fields = ["source", "consent_date", "consent_text", "tag"]
        labels = {
            "source": "Woher ist die Liste?",
            "consent_text": "Welchem Wortlaut haben sie zugestimmt?",
            "tag": "Schlagwort für alle (optional)",
        }
        help_texts = {
            "source": "Zum Beispiel „Anmeldeformular der alten Website, Export aus Mailchimp“.",
            "consent_text": "Der Text, der am Formular stand.",
        }
        widgets = {
            "source": forms.TextInput(attrs={"class": "vTextField"}),
            "consent_text": forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"}),
        }

    def clean_consent_date(self) -> date | None:
        day: date | None = self.cleaned_data["consent_date"]
        if day is not None and day > timezone.localdate():
            raise forms.ValidationError("Dieser Tag kommt erst noch.")
        return day

    def provenance(self) -> Provenance:
        told = self.cleaned_data
        return Provenance(
            source=told["source"],
            consent_date=told["consent_date"],
            consent_text=told["consent_text"].strip(),
            tag=told["tag"][:TAG_LENGTH],
        )
