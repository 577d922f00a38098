"""The coach's portrait: small clean files for every screen, made of whatever was uploaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from django.core.files.base import ContentFile
from django.db import transaction
from PIL import Image

from coaching_site import pictures
from coaching_site.pictures import Files, Prepared
from pages.models import Practice

# The widest is twice, the others are two and three times the width a page gives it.
WIDTH = 640
NARROWER = (256, 384)
# What the other files end with, behind the stem of the one that the row names.
ENDS = (".avif", *(f"-{width}.{kind}" for width in NARROWER for kind in ("avif", "webp")))
# As good as a portrait needs to be; a grainy one has to do with less.
QUALITIES = {"AVIF": (50, 42, 34), "WEBP": (80, 70, 60)}
MOST_BYTES_A_PIXEL = 0.06


@dataclass(frozen=True)
class Shown:
    """A portrait on a page: its address, its size, and as `srcset` its other widths, if it has them."""

    url: str
    width: int
    height: int
    avif: str
    webp: str


def prepared(upload: IO[bytes], size: int) -> Prepared:
    """Turn an upload of `size` bytes into WebP and AVIF, at most 640 pixels wide. Raises NotAPicture."""
    widest = pictures.narrowed(pictures.opened(upload, size), WIDTH)
    others = {".avif": _small(widest, "AVIF")}
    for width in NARROWER:
        if width < widest.width:
            narrower = pictures.narrowed(widest.copy(), width)
            others[f"-{width}.avif"] = _small(narrower, "AVIF")
            others[f"-{width}.webp"] = _small(narrower, "WEBP")
    return Prepared(_small(widest, "WEBP"), others)


def replace(practice: Practice, *, before: str, others: Files | None) -> None:
    """Lay a new portrait's other files beside it; once that is certain, forget the one before.

    To be called inside the transaction that saved the practice. `before` is the old name, perhaps
    empty; `others` is None if nothing new was uploaded.
    """
    portrait = practice.portrait
    pictures.lay_beside(portrait.storage, portrait.name, others or {})
    if before and before != portrait.name:
        transaction.on_commit(lambda: pictures.forget(portrait.storage, before, ENDS))


def shown(practice: Practice) -> Shown | None:
    """The portrait for a page, or None if there is none."""
    portrait = practice.portrait
    if not portrait:
        return None
    width, height = practice.portrait_width or 0, practice.portrait_height or 0
    stem = pictures.stem(portrait.name)
    avif, webp = {f"{stem}.avif": width}, {str(portrait.name): width}
    for each in NARROWER:
        avif[f"{stem}-{each}.avif"] = webp[f"{stem}-{each}.webp"] = each
    storage = portrait.storage
    return Shown(
        portrait.url, width, height, pictures.srcset(storage, avif), pictures.srcset(storage, webp)
    )


def _small(picture: Image.Image, kind: str) -> ContentFile[bytes]:
    """The picture as a file that is small, whatever was photographed."""
    most = MOST_BYTES_A_PIXEL * picture.width * picture.height
    for quality in QUALITIES[kind]:
        file = pictures.packed(picture, kind, quality=quality)
        if file.size <= most:
            break
    return file
