"""Makes a small, clean picture of whatever the coach uploads."""

from __future__ import annotations

import hashlib
import io
from typing import IO

from django.core.files.base import ContentFile
from PIL import Image, ImageOps, UnidentifiedImageError

WIDTH = 640  # twice the widest place a page gives it
LARGEST_UPLOAD = 15 * 1024 * 1024
LARGEST_PIXELS = 50_000_000


class NotAPicture(Exception):
    """The upload cannot be used; the message is the sentence for the coach."""


def prepared(upload: IO[bytes], size: int) -> ContentFile[bytes]:
    """Turn an upload into a WebP of at most 640 pixels width, without its metadata.

    The name is a hash of the content, so a changed picture gets a new address. Raises NotAPicture.
    """
    if size > LARGEST_UPLOAD:
        raise NotAPicture("Das Bild ist größer als 15 MB. Nimm ein kleineres.")
    try:
        with Image.open(upload) as picture:
            if picture.width * picture.height > LARGEST_PIXELS:
                raise NotAPicture("Das Bild hat zu viele Bildpunkte. Nimm ein kleineres.")
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise NotAPicture(
            "Diese Datei ist kein Bild, das wir lesen können. Nimm JPEG oder PNG."
        ) from None
    upright.thumbnail((WIDTH, WIDTH * 3))
    buffer = io.BytesIO()
    upright.save(buffer, "WEBP", quality=82, method=6)
    content = buffer.getvalue()
    return ContentFile(content, name=f"{hashlib.sha256(content).hexdigest()[:16]}.webp")
