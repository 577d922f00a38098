"""The pictures of an issue: made small and clean when uploaded, found again by their number.

The coach writes `![What is to be seen](bild:12)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import IO

from django.core.files.base import ContentFile
from markdown_it.token import Token

from coaching_site import pictures
from newsletter.models import Picture

WIDTH = 1200  # twice what a mail gives it, so that it is sharp on a telephone
MAIL_WIDTH = 568  # what the rail of the mail's 600 pixels leaves

_ADDRESS = re.compile(r"bild:([0-9]{1,9})")


@dataclass(frozen=True)
class Shown:
    """A picture where it is shown: its absolute address and its size there, in CSS pixels."""

    url: str
    width: int
    height: int


def prepared(upload: IO[bytes], size: int) -> ContentFile[bytes]:
    """Turn an upload of `size` bytes into a JPEG or PNG of at most 1200 pixels width.

    Not WebP, which mail programs do not all know. Raises pictures.NotAPicture.
    """
    picture = pictures.narrowed(pictures.opened(upload, size), WIDTH)
    png = pictures.packed(picture, "PNG", optimize=True)
    if pictures.is_transparent(picture):
        return png
    jpeg = pictures.packed(picture.convert("RGB"), "JPEG", quality=84, progressive=True)
    # A drawing or a screenshot is often smaller as a PNG, and always sharper.
    return min(png, jpeg, key=lambda file: file.size)


def number(token: Token) -> int | None:
    """The number of the picture that an image token names, or None for a foreign address."""
    found = _ADDRESS.fullmatch(str(token.attrs.get("src", "")))
    return int(found[1]) if found else None


def numbers_in(tokens: Iterable[Token]) -> set[int]:
    found = {number(token) for token in tokens if token.type == "image"}
    return {each for each in found if each is not None}


def shown(numbers: Iterable[int], *, site_url: str, widest: int) -> Mapping[int, Shown]:
    """Those of the pictures that there are, each no wider than that."""
    return {
        picture.pk: _shown(picture, site_url, min(picture.width, widest))
        for picture in Picture.objects.filter(pk__in=numbers)
    }


def _shown(picture: Picture, site_url: str, width: int) -> Shown:
    height = max(1, round(picture.height * width / picture.width))
    return Shown(f"{site_url}{picture.file.url}", width, height)
