"""Photos as they come from phones: known by their content, decoded within bounds, and made anew without what they say
of who took them, where and with what.

Only what a decoder makes of a picture is kept: what was hidden in a file beside its pixels is not in the new one."""

import io
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct
from PIL import ExifTags, Image

from surveys.refusals import Invalid

Kind = Literal["jpeg", "png", "webp", "pdf"]

Image.MAX_IMAGE_PIXELS = None  # `_refuse_too_large` knows more, and warns nobody

# Phones take photos of 48, 50 and 64 megapixels. A usual JPEG is decoded at a part of its size, row by row; one that
# is progressive is held whole while it is, and so is every other picture, each pixel in four bytes and copied once.
MOST_PIXELS: Mapping[Kind, int] = {"jpeg": 100_000_000, "png": 24_000_000, "webp": 24_000_000}
MOST_PIXELS_PROGRESSIVE = 40_000_000
LONGEST_SIDE = 2_560  # pixels of what is kept
LONGEST_SIDE_OF_THUMBNAIL = 320
QUALITY, QUALITY_OF_THUMBNAIL = 85, 75
PAPER = (255, 255, 255)  # what shines through where a picture is transparent

PDF_END = b"%%EOF"
PDF_TAIL = 1_024  # bytes in which a whole document says that it ends


class NotAPicture(Invalid):
    """A content that is neither JPEG, PNG, WebP nor, where a document may stand, PDF, whatever it is called."""

    code = "not_a_picture"


class PictureBroken(Invalid):
    """A picture or document that was cut off or damaged."""

    code = "picture_broken"


class PictureTooLarge(Invalid):
    """A picture of more pixels than are decoded; `facts` say how many it has, and how many it may have."""

    code = "picture_too_large"


class Hint(Struct, frozen=True, kw_only=True):
    """Where and when a photo says it was taken: a hint that nobody vouches for. A time without a zone is the time of
    the place."""

    lon: float | None = None
    lat: float | None = None
    taken_at: datetime | None = None


class Made(Struct, frozen=True, kw_only=True):
    """A photo made anew, as JPEG, with its thumbnail."""

    photo: bytes
    thumbnail: bytes
    width: int
    height: int
    hint: Hint = Hint()


def kind_of(content: bytes) -> Kind:
    """What a content is, by its first bytes. Raises NotAPicture."""
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "webp"
    if content.startswith(b"%PDF-"):
        return "pdf"
    raise NotAPicture("content")


def check_document(content: bytes) -> None:
    """A document is kept as it came and never opened here: only its beginning and its end are looked at. Raises
    NotAPicture, and PictureBroken for one that was cut off."""
    if kind_of(content) != "pdf":
        raise NotAPicture("content")
    if PDF_END not in content[-PDF_TAIL:]:
        raise PictureBroken("content")


def make(content: bytes) -> Made:
    """Decode a photo and make it anew, upright and no larger than is needed; of one that moves, its first picture.

    Raises NotAPicture, PictureTooLarge, and PictureBroken for whatever a decoder has against it."""
    kind = kind_of(content)
    if kind == "pdf":
        raise NotAPicture("content")
    try:
        with Image.open(io.BytesIO(content), formats=[kind.upper()]) as image:
            _refuse_too_large(image, kind)
            image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            exif = image.getexif()
            hint = _hint(exif)
            small = _on_paper(_fitted(image, LONGEST_SIDE))
            upright = _upright(small, exif.get(ExifTags.Base.Orientation))
    except (NotAPicture, PictureTooLarge):
        raise
    except Exception:  # decoders meet whatever somebody makes up, and say no in many ways
        raise PictureBroken("content") from None
    return Made(
        photo=_jpeg(upright, QUALITY),
        thumbnail=_jpeg(_fitted(upright, LONGEST_SIDE_OF_THUMBNAIL), QUALITY_OF_THUMBNAIL),
        width=upright.width,
        height=upright.height,
        hint=hint,
    )


def _refuse_too_large(image: Image.Image, kind: Kind) -> None:
    """By what the head of the file says, before a pixel is decoded; decoders hold a file to its head."""
    pixels = image.width * image.height
    most = MOST_PIXELS_PROGRESSIVE if "progressive" in image.info else MOST_PIXELS[kind]
    if pixels > most:
        raise PictureTooLarge("content", megapixels=math.ceil(pixels / 1e6), most=most // 1_000_000)


def _fitted(image: Image.Image, longest: int) -> Image.Image:
    """The picture in a square of this size; a large one is first made smaller by a whole number, which takes little
    memory."""
    if image.mode in ("P", "1", "I;16", "I", "F"):
        image = image.convert("RGBA" if image.mode == "P" else "L")
    share = longest / max(image.size)
    if share >= 1:
        return image
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _on_paper(image: Image.Image) -> Image.Image:
    """The picture in plain colours; where it is transparent, on white."""
    if "A" not in image.getbands():
        return image.convert("RGB")
    alpha = image.convert("RGBA")
    paper = Image.new("RGB", alpha.size, PAPER)
    paper.paste(alpha, mask=alpha.getchannel("A"))
    return paper


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright(image: Image.Image, orientation: object) -> Image.Image:
    """The picture as it was seen, however the phone was held."""
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    """The pixels and nothing else: no position, no camera, no profile, no comment."""
    image.info = {}
    written = io.BytesIO()
    image.save(written, "JPEG", quality=quality)
    return written.getvalue()


# What a photo says of itself. Anybody can write anything there: what does not fit is passed over.


def _hint(exif: Image.Exif) -> Hint:
    lon, lat = _position(_part(exif, ExifTags.IFD.GPSInfo))
    return Hint(lon=lon, lat=lat, taken_at=_taken_at(_part(exif, ExifTags.IFD.Exif)))


def _part(exif: Image.Exif, part: ExifTags.IFD) -> Mapping[int, Any]:
    try:
        return exif.get_ifd(part)
    except Exception:  # a damaged part is as good as none
        return {}


def _position(gps: Mapping[int, Any]) -> tuple[float | None, float | None]:
    lon = _degrees(gps.get(ExifTags.GPS.GPSLongitude), gps.get(ExifTags.GPS.GPSLongitudeRef), "W", 180)
    lat = _degrees(gps.get(ExifTags.GPS.GPSLatitude), gps.get(ExifTags.GPS.GPSLatitudeRef), "S", 90)
    if lon is None or lat is None or (lon, lat) == (0, 0):  # a camera that does not know where it is writes zeros
        return None, None
    return lon, lat


def _degrees(told: Any, side: Any, negative: str, most: int) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in told)
    except (TypeError, ValueError, ArithmeticError):
        return None
    value = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(value) or not 0 <= value <= most:
        return None
    return round(-value if str(side).strip("\x00 ").upper() == negative else value, 7)


def _taken_at(camera: Mapping[int, Any]) -> datetime | None:
    told, offset = camera.get(ExifTags.Base.DateTimeOriginal), camera.get(ExifTags.Base.OffsetTimeOriginal)
    try:
        taken = datetime.strptime(str(told).strip("\x00 "), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - the zone follows
        zone = datetime.strptime(str(offset).strip("\x00 "), "%z").tzinfo if offset else None
    except ValueError:
        return None
    if taken.year not in range(2000, 3000):
        return None
    return taken.replace(tzinfo=zone).astimezone(UTC) if zone else taken
