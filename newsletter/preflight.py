"""What is looked at before an issue may leave: problems that block it, and those worth a look.

Nothing here asks the network; whether the links of others are alive, `dead_links` finds out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation, ValidationError
from django.core.files.storage import default_storage
from django.core.validators import validate_email
from django.urls import Resolver404, ResolverMatch, resolve, reverse

from coaching_site import fetching, links
from coaching_site.fetching import NotFetched
from newsletter.models import Issue, Picture
from newsletter.rendering import contents, markdown, placeholders
from newsletter.rendering.building import Built, build
from newsletter.rendering.contents import Contents, Image, Link
from newsletter.rendering.placeholders import Placeholder
from newsletter.sending import audience
from pages.models import Practice

LARGEST_HTML = 100_000  # bytes; Gmail cuts at 102 kB and hides the footer with the way out
LARGEST_PICTURE = 500_000  # bytes
LONGEST_SUBJECT = 70  # signs a mailbox shows on a wide screen
LONGEST_QUOTE = 60
FEWEST_LETTERS_TO_SHOUT = 8

_BROKEN_LINK = re.compile(r"\](?:\(|\s\((?:https?|mailto|bild):)")
_BARE_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>„“]+")
_HALF_PLACEHOLDER = re.compile(r"\{\{|\}\}")
_TELEPHONE = re.compile(r"\+?[0-9() ./%-]{3,}")


@dataclass(frozen=True)
class Problem:
    """Something about an issue, with a sentence for the coach that says where and what to do."""

    kind: str
    message: str
    blocks: bool = True


def problems(issue: Issue, *, practice: Practice) -> list[Problem]:
    """All that is wrong with an issue, as far as it can be told without asking the network."""
    return [
        *_in_subject(issue),
        *_in_body(issue.body),
        *_in_practice(practice),
        *in_built(built(issue, practice)),
        *_in_audience(issue),
    ]


def in_built(built: Built) -> Iterator[Problem]:
    """What is wrong with the two parts of a mail: whatever built them, nobody may be trapped."""
    way_out = placeholders.mark(placeholders.UNSUBSCRIBE)
    for name, part in (("HTML-Teil", built.html), ("Textteil", built.text)):
        if way_out not in part:
            yield Problem("unsubscribe", f"Im {name} fehlt der Link zum Abmelden.")
    size = len(built.html.encode())
    if size > LARGEST_HTML:
        yield Problem(
            "size",
            f"Die E-Mail ist {_kilobytes(size)} groß. Ab {_kilobytes(LARGEST_HTML)} schneiden "
            "Postfächer das Ende ab, samt dem Link zum Abmelden. Kürze den Text.",
        )


def is_own(url: str) -> bool:
    """Whether an address leads to this site."""
    try:
        return urlsplit(url).netloc.lower() == urlsplit(settings.SITE_URL).netloc.lower()
    except ValueError:
        return False


def quoted(text: str) -> str:
    """„text“, cut to a length that can be read at a glance."""
    cut = text if len(text) <= LONGEST_QUOTE else f"{text[: LONGEST_QUOTE - 1].rstrip()}…"
    return f"„{cut}“"


def _around(found: re.Match[str]) -> str:
    """What was found, quoted with the words around it, by which the coach finds it too."""
    start, end = max(0, found.start() - LONGEST_QUOTE // 2), found.end() + LONGEST_QUOTE // 2
    return f"„{found.string[start:end].strip()}“"


# --- subject and preheader --------------------------------------------------------------------


def _in_subject(issue: Issue) -> Iterator[Problem]:
    subject = issue.subject.strip()
    if not subject:
        yield Problem("subject", "Der Betreff fehlt. Schreib einen.")
    for name, text in (("Betreff", subject), ("Vorschautext", issue.preheader)):
        if "{{" in text or "}}" in text:
            yield Problem(
                "placeholder",
                f"Im {name} werden keine Platzhalter ausgefüllt. Nimm {quoted(text)} ohne ihn.",
            )
    if len(subject) > LONGEST_SUBJECT:
        yield Problem(
            "long_subject",
            f"Der Betreff hat {len(subject)} Zeichen. Viele Postfächer zeigen nur die ersten "
            f"{LONGEST_SUBJECT}, Telefone noch weniger.",
            blocks=False,
        )
    if _is_shouting(subject):
        yield Problem(
            "shouting",
            "Der Betreff schreit: Großbuchstaben und gehäufte Ausrufezeichen halten Spamfilter "
            "und Menschen für Werbung.",
            blocks=False,
        )
    if not issue.preheader.strip():
        yield Problem(
            "preheader",
            "Der Vorschautext fehlt. Postfächer zeigen dann den Anfang der E-Mail neben dem Betreff.",
            blocks=False,
        )


def _is_shouting(subject: str) -> bool:
    letters = [sign for sign in subject if sign.isalpha()]
    capitals = [sign for sign in letters if sign.isupper()]
    is_loud = len(letters) >= FEWEST_LETTERS_TO_SHOUT and len(capitals) > 0.7 * len(letters)
    return is_loud or subject.count("!") > 1


# --- the body ---------------------------------------------------------------------------------


def _in_body(body: str) -> Iterator[Problem]:
    if not body.strip():
        yield Problem("body", "Der Text fehlt. Schreib einen.")
        return
    if not any(sign.isprintable() and sign != " " for sign in markdown.to_text(body)):
        yield Problem("text", "Vom Text bleibt nichts zu lesen. Schreib etwas, das man sieht.")
    found = contents.of(body)
    yield from _in_placeholders(found)
    yield from _in_images(found.images)
    for link in found.links:
        yield from _in_link(link)
    yield from _in_prose(found.prose)


def _in_placeholders(found: Contents) -> Iterator[Problem]:
    known = " und ".join(f"{{{{ {word} | … }}}}" for word in placeholders.WORDS)
    for each in found.placeholders:
        if not each.is_known:
            yield Problem(
                "placeholder",
                f"Den Platzhalter {quoted(each.written)} gibt es nicht. Es gibt {known}.",
            )
        elif not each.fallback:
            yield Problem("placeholder", _missing_fallback(each))
    for each in found.stray:
        yield Problem(
            "placeholder",
            f"Im Alternativtext eines Bildes wird {quoted(each.written)} nicht ausgefüllt. "
            "Nimm den Platzhalter dort heraus.",
        )


def _missing_fallback(placeholder: Placeholder) -> str:
    example = f"{{{{ {placeholder.word} | du }}}}"
    return (
        f"Bei {quoted(placeholder.written)} fehlt, was dort steht, wenn der Name unbekannt ist. "
        f"Schreib zum Beispiel {quoted(example)}."
    )


def _in_prose(prose: Iterable[str]) -> Iterator[Problem]:
    for text in prose:
        if found := _HALF_PLACEHOLDER.search(text):
            yield Problem(
                "placeholder",
                f"Bei {_around(found)} ist ein Platzhalter nicht vollständig. "
                "Er steht zwischen {{ und }}; soll er zu sehen sein, setz ihn als `Code`.",
            )
        if broken := _BROKEN_LINK.search(text):
            yield Problem(
                "link",
                f"Bei {_around(broken)} ist ein Link nicht vollständig oder nicht erlaubt. "
                "Schreib ihn als [Text](https://…), ohne Leerzeichen in der Adresse.",
            )
        elif bare := _BARE_ADDRESS.search(text):
            yield Problem(
                "bare_address",
                f"Die Adresse {quoted(bare[0])} ist kein Link. Setz sie in spitze Klammern "
                "oder schreib [Text](https://…).",
                blocks=False,
            )


# --- pictures ---------------------------------------------------------------------------------


def _in_images(images: Iterable[Image]) -> Iterator[Problem]:
    known = Picture.objects.in_bulk([image.number for image in images if image.number])
    for image in images:
        name = quoted(image.alt or image.source)
        if not image.alt:
            yield Problem(
                "alt",
                f"Dem Bild {name} fehlt der Alternativtext. Schreib in die eckigen Klammern, "
                "was zu sehen ist.",
            )
        if image.number is None:
            yield Problem(
                "image",
                f"Das Bild {name} liegt nicht hier. Lade es hoch und schreib "
                f"![{image.alt or 'Alternativtext'}](bild:Nummer).",
            )
        elif picture := known.get(image.number):
            yield from _in_picture(picture, name)
        else:
            yield Problem(
                "image",
                f"Das Bild {name} mit der Nummer {image.number} gibt es nicht. "
                "Sieh unter Bilder nach seiner Nummer.",
            )


def _in_picture(picture: Picture, name: str) -> Iterator[Problem]:
    try:
        size = picture.file.size
    except FileNotFoundError:
        yield Problem("image", f"Die Datei des Bildes {name} ist fort. Lade es noch einmal hoch.")
        return
    if size > LARGEST_PICTURE:
        yield Problem(
            "large_picture",
            f"Das Bild {name} ist {_kilobytes(size)} groß und braucht unterwegs lange. "
            "Ein Foto mit weniger Einzelheiten oder ein Ausschnitt ist kleiner.",
            blocks=False,
        )


# --- links ------------------------------------------------------------------------------------


def _in_link(link: Link) -> Iterator[Problem]:
    if not link.text:
        yield Problem("link", f"Ein Link zu {quoted(link.url)} hat keinen Text, den man liest.")
        return
    if "%7B%7B" in link.url or "{{" in link.url:
        yield Problem(
            "placeholder",
            f"In der Adresse des Links {quoted(link.text)} wird kein Platzhalter ausgefüllt.",
        )
        return
    if wrong := _wrong_with(link.url):
        kind, sentence = wrong
        yield Problem(kind, f"Der Link {quoted(link.text)} {sentence}")


def _wrong_with(url: str) -> tuple[str, str] | None:
    """The kind of problem with an address and the rest of a sentence about its link, or None."""
    scheme, _, rest = url.partition(":")
    match scheme.lower():
        case "mailto":
            return None if _is_mailbox(rest) else ("link", f"nennt keine E-Mail-Adresse: {url}")
        case "tel":
            is_number = _TELEPHONE.fullmatch(rest)
            return None if is_number else ("link", f"nennt keine Telefonnummer: {url}")
        case "http" | "https":
            return _wrong_with_page(url)
    if not rest or not scheme.isalnum():
        return "relative_link", (
            f"führt aus einer E-Mail nirgendwohin: {quoted(url)}. Schreib die ganze Adresse, "
            f"zum Beispiel {_whole(url)}"
        )
    return "link", f"beginnt mit {scheme}: – erlaubt sind https:, mailto: und tel:."


def _wrong_with_page(url: str) -> tuple[str, str] | None:
    if is_own(url):
        return _wrong_with_own_page(url)
    try:
        parts = fetching.address(url)
    except NotFetched:
        return (
            "link",
            f"hat keine vollständige Adresse: {quoted(url)}. Prüf, wie sie geschrieben ist.",
        )
    if fetching.leads_home(parts) or "." not in (parts.hostname or "").strip("."):
        return (
            "link",
            f"führt in ein privates Netz: {quoted(url)}. Deine Leser kommen dort nicht hin.",
        )
    return None


def _wrong_with_own_page(url: str) -> tuple[str, str] | None:
    path = unquote(urlsplit(url).path) or "/"
    page = _page_at(path)
    if page is None or _is_lost_file(path):
        return "dead_link", f"führt ins Leere: Die Seite {quoted(path)} gibt es hier nicht."
    if page.app_name == "admin":
        return "private_link", f"führt in die Verwaltung, die nur du siehst: {quoted(path)}."
    if "token" in page.kwargs or "secret" in page.kwargs:
        return "private_link", (
            "gehört einem einzelnen Menschen und öffnet dessen Daten allen, die ihn bekommen. "
            "Nimm ihn heraus."
        )
    return None


def _page_at(path: str) -> ResolverMatch | None:
    """What answers at a path here, with or without the slash that would be added."""
    for each in (path, f"{path}/"):
        try:
            return resolve(each)
        except Resolver404:
            pass
    return None


def _is_lost_file(path: str) -> bool:
    name = path.removeprefix(settings.MEDIA_URL)
    try:
        return name != path and not default_storage.exists(name)
    except SuspiciousFileOperation:  # it climbs out of the folder
        return True


def _is_mailbox(rest: str) -> bool:
    try:
        validate_email(rest.partition("?")[0])
    except ValidationError:
        return False
    return True


def _whole(url: str) -> str:
    """What the coach may have meant by a relative address."""
    if url.startswith("//"):
        return f"https:{url}"
    if url.startswith(("/", "#", "?", ".")):
        return links.absolute("/" + url.lstrip("./"))
    return f"https://{url}"


# --- what is around it ------------------------------------------------------------------------


def _in_practice(practice: Practice) -> Iterator[Problem]:
    if missing := practice.missing():
        yield Problem(
            "imprint",
            f"Das Impressum unter der E-Mail ist unvollständig: {', '.join(missing)}. "
            "Trag es unter Praxis ein.",
        )


def _in_audience(issue: Issue) -> Iterator[Problem]:
    if not _has_readers(issue):
        yield Problem(
            "audience",
            "Niemand würde diese Ausgabe bekommen. Wähle andere Schlagwörter oder keines.",
        )


def _has_readers(issue: Issue) -> bool:
    return audience.count(issue.tags.all() if issue.pk else []) > 0


def built(issue: Issue, practice: Practice) -> Built:
    """The mail of an issue as it is written now."""
    return build(
        subject=issue.subject,
        preheader=issue.preheader,
        body=issue.body,
        archive_url=links.absolute(reverse("newsletter:issue", args=[issue.slug or "entwurf"])),
        practice=practice,
        site_url=settings.SITE_URL,
    )


def _kilobytes(size: int) -> str:
    return f"{round(size / 1000)}\u00a0kB"
