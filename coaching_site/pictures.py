"""Makes small, clean pictures of whatever the coach uploads.

A row names one file. In other widths and forms the picture lies beside it under the same stem, so
that all of them come and go together; a picture without them is shown as it is.
"""

from __future__ import annotations

import hashlib
import io
import mimetypes
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

LARGEST_UPLOAD = 15 * 1024 * 1024
LARGEST_PIXELS = 50_000_000
TOO_MANY_PIXELS = "Das Bild hat zu viele Bildpunkte. Nimm ein kleineres."
SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "AVIF": "avif"}
# Python before 3.13 knows them from the system's own list alone, which a small container lacks.
mimetypes.add_type("image/webp", ".webp")
mimetypes.add_type("image/avif", ".avif")


Files = Mapping[str, ContentFile[bytes]]


@dataclass(frozen=True)
class Prepared:
    """The file a row will name, and those to lie beside it, by what follows the stem."""

    main: ContentFile[bytes]
    others: Files


class NotAPicture(Exception):
    """The upload cannot be used; the message is the sentence for the coach."""


def opened(upload: IO[bytes], size: int) -> Image.Image:
    """The picture in an upload of `size` bytes: upright, in sRGB, without metadata.

    Its mode is RGB, or RGBA if it may let something through. Raises NotAPicture.
    """
    if size > LARGEST_UPLOAD:
        raise NotAPicture("Das Bild ist größer als 15 MB. Nimm ein kleineres.")
    try:
        with Image.open(upload) as picture:
            if picture.width * picture.height > LARGEST_PIXELS:
                raise NotAPicture(TOO_MANY_PIXELS)
            upright = _in_srgb(ImageOps.exif_transpose(picture))
    except Image.DecompressionBombError:
        raise NotAPicture(TOO_MANY_PIXELS) from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise NotAPicture(
            "Diese Datei ist kein Bild, das wir lesen können. Nimm JPEG oder PNG."
        ) from None
    upright.info.clear()
    return upright


def narrowed(picture: Image.Image, width: int) -> Image.Image:
    """The picture, made smaller if it is wider than that or more than three times as high."""
    picture.thumbnail((width, width * 3))
    return picture


def is_transparent(picture: Image.Image) -> bool:
    return picture.mode == "RGBA" and picture.getchannel("A").getextrema() != (255, 255)


def packed(picture: Image.Image, kind: str, **how: object) -> ContentFile[bytes]:
    """The picture as a file. Its name is a hash of the content: what changes gets a new address."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **how)
    content = buffer.getvalue()
    return ContentFile(content, name=f"{hashlib.sha256(content).hexdigest()[:16]}.{SUFFIXES[kind]}")


# --- the files beside a picture ----------------------------------------------------------------


def stem(name: str | None) -> str:
    """A file's name without its ending: what all files of a picture begin with."""
    return str(PurePosixPath(name or "").with_suffix(""))


def lay_beside(storage: Storage, name: str | None, others: Files) -> None:
    for end, file in others.items():
        storage.save(stem(name) + end, file)


def forget(storage: Storage, name: str, ends: Iterable[str]) -> None:
    """Delete a picture's file and those beside it, as many as there are."""
    for each in (name, *(stem(name) + end for end in ends)):
        storage.delete(each)


def srcset(storage: Storage, files: Mapping[str, int], *, site_url: str = "") -> str:
    """HTML's `srcset` of the files that there are, each with its width in pixels."""
    there = {name: width for name, width in files.items() if storage.exists(name)}
    return ", ".join(f"{site_url}{storage.url(name)} {width}w" for name, width in there.items())


# --- colours -----------------------------------------------------------------------------------


def _in_srgb(picture: Image.Image) -> Image.Image:
    """Without its colour profile, which few mail programs follow, but looking the same."""
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    profile = picture.info.get("icc_profile")
    converted = picture.convert(mode)
    if profile and picture.mode in ("RGB", "RGBA"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            ImageCms.profileToProfile(
                converted, source, ImageCms.createProfile("sRGB"), inPlace=True
            )
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile says nothing about the picture
    return converted
