"""The coach's portrait: small clean files for every screen, made of whatever was uploaded.

The row names one file; the others lie beside it under the same stem, so that all of them come and
go with it. A portrait without them is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.db import transaction
from PIL import Image

from coaching_site import pictures
from coaching_site.pictures import NotAPicture as NotAPicture
from pages.models import Practice

# The widest is twice, the others are two and three times the width a page gives it.
WIDTH = 640
NARROWER = (256, 384)
# What the other files end with, behind the stem of the one that the row names.
ENDS = (".avif", *(f"-{width}.{kind}" for width in NARROWER for kind in ("avif", "webp")))
# As good as a portrait needs to be; a grainy one has to do with less.
QUALITIES = {"AVIF": (50, 42, 34), "WEBP": (80, 70, 60)}
MOST_BYTES_A_PIXEL = 0.06

Files = Mapping[str, ContentFile[bytes]]


@dataclass(frozen=True)
class Prepared:
    """A portrait's files: the one the row will name, and the others by what follows its stem."""

    main: ContentFile[bytes]
    others: Files


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
    for end, file in (others or {}).items():
        portrait.storage.save(_stem(portrait.name) + end, file)
    if before and before != portrait.name:
        transaction.on_commit(lambda: _delete(portrait.storage, before))


def shown(practice: Practice) -> Shown | None:
    """The portrait for a page, or None if there is none."""
    portrait = practice.portrait
    if not portrait:
        return None
    width, height = practice.portrait_width or 0, practice.portrait_height or 0
    stem = _stem(portrait.name)
    avif, webp = {f"{stem}.avif": width}, {str(portrait.name): width}
    for each in NARROWER:
        avif[f"{stem}-{each}.avif"] = webp[f"{stem}-{each}.webp"] = each
    storage = portrait.storage
    return Shown(portrait.url, width, height, _srcset(storage, avif), _srcset(storage, webp))


def _small(picture: Image.Image, kind: str) -> ContentFile[bytes]:
    """The picture as a file that is small, whatever was photographed."""
    most = MOST_BYTES_A_PIXEL * picture.width * picture.height
    for quality in QUALITIES[kind]:
        file = pictures.packed(picture, kind, quality=quality)
        if file.size <= most:
            break
    return file


def _srcset(storage: Storage, files: Mapping[str, int]) -> str:
    """Those of the files that there are, each with its width."""
    there = {name: width for name, width in files.items() if storage.exists(name)}
    return ", ".join(f"{storage.url(name)} {width}w" for name, width in there.items())


def _delete(storage: Storage, name: str) -> None:
    for each in (name, *(_stem(name) + end for end in ENDS)):
        storage.delete(each)


def _stem(name: str | None) -> str:
    return str(PurePosixPath(name or "").with_suffix(""))
