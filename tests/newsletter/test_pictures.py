"""What becomes of a picture the coach uploads for an issue."""

from __future__ import annotations

import io
import random
from typing import Literal

import pytest
from PIL import Image, ImageCms

from coaching_site.pictures import LARGEST_UPLOAD, NotAPicture
from newsletter.rendering import pictures


def packed(image: Image.Image, kind: str = "JPEG", **how) -> io.BytesIO:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    buffer.seek(0)
    return buffer


def photo(width: int = 300, height: int = 200) -> Image.Image:
    """As grainy as a photograph, so that JPEG is the smaller form."""
    grain = random.Random(1).randbytes(width * height * 3)
    return Image.frombytes("RGB", (width, height), grain)


def prepared(upload: io.BytesIO) -> tuple[str, Image.Image]:
    file = pictures.prepared(upload, len(upload.getvalue())).main
    assert file.name is not None
    return file.name, Image.open(io.BytesIO(file.read()))


def test_a_photograph_becomes_a_jpeg_no_wider_than_1200():
    name, picture = prepared(packed(photo(1600, 400)))

    assert (picture.format, picture.size) == ("JPEG", (1200, 300))
    assert name.endswith(".jpg")


def test_a_small_picture_is_not_blown_up():
    _, picture = prepared(packed(photo(300, 200)))

    assert picture.size == (300, 200)


def test_what_is_transparent_stays_so():
    glass = Image.new("RGBA", (300, 200), (11, 90, 84, 0))
    glass.paste((11, 90, 84, 255), (100, 50, 200, 150))

    name, picture = prepared(packed(glass, "PNG"))

    assert name.endswith(".png")
    assert picture.format == "PNG"
    assert picture.getpixel((0, 0)) == (11, 90, 84, 0)
    assert picture.getpixel((150, 100)) == (11, 90, 84, 255)


def test_a_drawing_stays_sharp():
    drawing = Image.new("RGB", (300, 200), "#fbfaf7")
    drawing.paste((11, 90, 84), (20, 20, 40, 180))

    _, picture = prepared(packed(drawing, "PNG"))

    assert picture.format == "PNG"


def test_a_photograph_as_png_with_a_useless_alpha_becomes_a_jpeg():
    opaque = photo()
    opaque.putalpha(255)

    _, picture = prepared(packed(opaque, "PNG"))

    assert picture.format == "JPEG"


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_place_camera_and_comment_are_left_behind(kind):
    exif = Image.Exif()
    exif[0x010E] = "geheim"
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 0.0)}
    how = {"comment": b"geheim"} if kind == "JPEG" else {}
    upload = packed(photo(), kind, exif=exif, **how)
    assert b"geheim" in upload.getvalue()

    file = pictures.prepared(upload, len(upload.getvalue())).main

    content = file.read()
    assert b"geheim" not in content
    assert b"Exif" not in content
    assert b"eXIf" not in content


def test_a_picture_taken_sideways_stands_upright():
    exif = Image.Exif()
    exif[0x0112] = 6

    _, picture = prepared(packed(photo(300, 200), exif=exif))

    assert picture.size == (200, 300)


def profile(space: Literal["sRGB", "LAB"]) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()


@pytest.mark.parametrize("icc", [profile("sRGB"), profile("LAB"), b"no profile"])
def test_a_colour_profile_goes_and_the_colours_stay(icc):
    """Also when it is broken, or of a space that cannot be this picture's."""
    red = Image.new("RGB", (40, 40), (200, 30, 30))

    _, picture = prepared(packed(red, "PNG", icc_profile=icc))

    assert "icc_profile" not in picture.info
    assert picture.convert("RGB").getpixel((20, 20)) == pytest.approx((200, 30, 30), abs=3)


def test_the_same_picture_has_the_same_name_and_another_another():
    upload = packed(photo())

    names = {prepared(packed(photo(width)))[0] for width in (300, 300, 301)}

    assert len(names) == 2
    assert prepared(upload)[0] in names


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
        packed(photo()).getvalue()[:500],
    ],
)
def test_what_is_no_picture_is_refused_with_a_sentence(content):
    with pytest.raises(NotAPicture, match="kein Bild"):
        pictures.prepared(io.BytesIO(content), len(content))


def test_what_is_too_large_is_refused_unread():
    with pytest.raises(NotAPicture, match="15 MB"):
        pictures.prepared(io.BytesIO(b""), LARGEST_UPLOAD + 1)


@pytest.mark.parametrize("side", [7500, 14_000])
def test_a_small_file_of_very_many_pixels_is_refused_unread(side):
    bomb = packed(Image.new("1", (side, side)), "PNG")

    with pytest.raises(NotAPicture, match="Bildpunkte"):
        pictures.prepared(bomb, len(bomb.getvalue()))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "RGB", "RGBA", "I;16"])
def test_every_kind_of_colour_can_be_read(mode):
    kind = "JPEG" if mode == "CMYK" else "PNG"

    _, picture = prepared(packed(Image.new(mode, (60, 40)), kind))

    assert picture.size == (60, 40)
