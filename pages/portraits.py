"""Makes a small, clean portrait of whatever the coach uploads."""

from __future__ import annotations

from typing import IO

from django.core.files.base import ContentFile

from coaching_site import pictures
from coaching_site.pictures import NotAPicture as NotAPicture

WIDTH = 640  # twice the widest place a page gives it


def prepared(upload: IO[bytes], size: int) -> ContentFile[bytes]:
    """Turn an upload of `size` bytes into a WebP of at most 640 pixels width. Raises NotAPicture."""
    picture = pictures.narrowed(pictures.opened(upload, size).convert("RGB"), WIDTH)
    return pictures.packed(picture, "WEBP", quality=82, method=6)
