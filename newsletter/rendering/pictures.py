"""The pictures of an issue: made small and clean when uploaded, found again by their number.

The coach writes `![What is to be seen](bild:12)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from markdown_it.token import Token
from PIL import Image

from coaching_site import pictures
from coaching_site.pictures import Files, Prepared
from newsletter.models import Picture

WIDTH = 1200  # twice what a mail gives it, so that it is sharp on a telephone
MAIL_WIDTH = 568  # what the rail of the mail's 600 pixels leaves
NARROW = 600  # for a telephone in the archive
# What lies beside the file that mails ask for, for the archive alone.
ENDS = (".avif", f"-{NARROW}.avif", ".webp", f"-{NARROW}.webp")

_ADDRESS = re.compile(r"bild:([0-9]{1,9})")


@dataclass(frozen=True)
class Shown:
    """A picture where it is shown: its absolute address and its size there, in CSS pixels.

    `sources` are its smaller forms, the best first: media type and `srcset`.
    """

    url: str
    width: int
    height: int
    sources: tuple[tuple[str, str], ...] = ()


def prepared(upload: IO[bytes], size: int) -> Prepared:
    """Turn an upload of `size` bytes into a JPEG or PNG of at most 1200 pixels width.

    Mails ask for these, for mail programs do not all know WebP; browsers get what lies beside
    them. Raises pictures.NotAPicture.
    """
    picture = pictures.narrowed(pictures.opened(upload, size), WIDTH)
    png = pictures.packed(picture, "PNG", optimize=True)
    if pictures.is_transparent(picture):
        return Prepared(png, _beside_a_drawing(picture))
    photo = picture.convert("RGB")
    jpeg = pictures.packed(photo, "JPEG", quality=84, progressive=True)
    # A drawing or a screenshot is often smaller as a PNG, and always sharper.
    if png.size < jpeg.size:
        return Prepared(png, _beside_a_drawing(picture))
    return Prepared(jpeg, _beside_a_photo(photo))


def _beside_a_drawing(picture: Image.Image) -> Files:
    """What blurs nothing."""
    return {
        f"{end}.webp": pictures.packed(each, "WEBP", lossless=True)
        for end, each in _widths(picture)
    }


def _beside_a_photo(picture: Image.Image) -> Files:
    forms = (("avif", "AVIF", 50), ("webp", "WEBP", 80))
    return {
        f"{end}.{suffix}": pictures.packed(each, kind, quality=quality)
        for end, each in _widths(picture)
        for suffix, kind, quality in forms
    }


def _widths(picture: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    """The picture in each of its widths, with the mark of a narrower one."""
    yield "", picture
    if picture.width > NARROW:
        yield f"-{NARROW}", pictures.narrowed(picture.copy(), NARROW)


def number(token: Token) -> int | None:
    """The number of the picture that an image token names, or None for a foreign address."""
    found = _ADDRESS.fullmatch(str(token.attrs.get("src", "")))
    return int(found[1]) if found else None


def numbers_in(tokens: Iterable[Token]) -> set[int]:
    found = {number(token) for token in tokens if token.type == "image"}
    return {each for each in found if each is not None}


def shown(
    numbers: Iterable[int], *, site_url: str, widest: int, has_sources: bool
) -> Mapping[int, Shown]:
    """Those of the pictures that there are, each no wider than that."""
    found = {}
    for picture in Picture.objects.filter(pk__in=numbers):
        width = min(picture.width, widest)
        height = max(1, round(picture.height * width / picture.width))
        sources = _sources(picture, site_url) if has_sources else ()
        found[picture.pk] = Shown(f"{site_url}{picture.file.url}", width, height, sources)
    return found


def _sources(picture: Picture, site_url: str) -> tuple[tuple[str, str], ...]:
    stem, storage = pictures.stem(picture.file.name), picture.file.storage
    sets = {
        f"image/{kind}": pictures.srcset(
            storage,
            {f"{stem}-{NARROW}.{kind}": NARROW, f"{stem}.{kind}": picture.width},
            site_url=site_url,
        )
        for kind in ("avif", "webp")
    }
    return tuple((kind, files) for kind, files in sets.items() if files)
