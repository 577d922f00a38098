"""The desk's addresses and forms of an issue, as its tests type and send them."""

from __future__ import annotations

import io

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from newsletter.models import (
    Issue,
)

ISSUES = "/verwaltung/newsletter/issue/"
PICTURES = "/verwaltung/newsletter/picture/"
DELIVERIES = "/verwaltung/newsletter/delivery/"
TEXT = "Hallo {{ vorname | zusammen }},\n\nheute geht es um *Delegation*.\n"
PRACTICE = {
    "first_name": "Vera",
    "last_name": "Probe",
    "street": "Weg 1",
    "postal_code": "10115",
    "city": "Berlin",
    "email": "post@praxis.example",
    "phone": "030 1",
}


def page(answer) -> str:
    return " ".join(answer.content.decode().split())


def typed(issue: Issue | None = None, **more: object) -> dict[str, object]:
    """What the form would send."""
    words: dict[str, object] = {"subject": "Führen auf Abstand", "preheader": "", "body": TEXT}
    words |= {"slug": "", "in_archive": "on", "tags": []}
    if issue is not None:
        words["version"] = Issue.objects.get(pk=issue.pk).changed_at.isoformat()
    return {**words, **more}


def written(client, **more: object) -> Issue:
    answer = client.post(f"{ISSUES}add/", {**typed(), **more})
    assert answer.status_code == 302, page(answer)
    return Issue.objects.latest("pk")


def of(issue: Issue, what: str = "change") -> str:
    return f"{ISSUES}{issue.pk}/{what}/"


def upload(
    client, alt: str = "Ein Whiteboard", name: str = "tafel.png", image: Image.Image | None = None
):
    buffer = io.BytesIO()
    (image or Image.new("RGB", (40, 20), "teal")).save(buffer, "PNG")
    file = SimpleUploadedFile(name, buffer.getvalue())
    return client.post(f"{PICTURES}add/", {"file": file, "alt": alt})
