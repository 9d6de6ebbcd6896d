"""Photos as phones take them, and what somebody makes up instead."""

import base64
import hashlib
import io
import struct
import zlib
from typing import Any

from PIL import ExifTags, Image

from tests.drafts import Draft


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def in_base64(text: str) -> str:
    """A text as Upload-Metadata has it."""
    return base64.b64encode(text.encode()).decode()


def promised(content: bytes) -> Draft:
    """A photo as a phone promises it."""
    return {"sha256": sha256(content), "bytes": len(content)}


def picture(width: int = 640, height: int = 480, *, shade: int = 0, mode: str = "RGB") -> Image.Image:
    """A picture in which up and down, left and right can be told apart: dark above, bright below, red to the right."""
    down = Image.linear_gradient("L").resize((width, height))
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    flat = Image.new("L", (width, height), shade)
    return Image.merge("RGB", (across, down, flat)).convert(mode)


def photo(width: int = 640, height: int = 480, *, form: str = "JPEG", shade: int = 0, **more: Any) -> bytes:
    """A photo as a file; `more` is what its encoder is told."""
    mode = more.pop("mode", "RGB")
    written = io.BytesIO()
    picture(width, height, shade=shade, mode=mode).save(written, form, **more)
    return written.getvalue()


# Where and with what a photo says that it was taken.
LON, LAT = 113.605, 34.705
CAMERA, OWNER = "Phone of Zhang Xiuying", "Zhang Xiuying"


def exif(orientation: int = 1, *, offset: str | None = "+08:00", south: bool = False) -> Image.Exif:
    """What a phone writes into a photo beside its pixels."""
    told = Image.Exif()
    told[ExifTags.Base.Orientation] = orientation
    told[ExifTags.Base.Model] = CAMERA
    told[ExifTags.Base.Artist] = OWNER
    camera = told.get_ifd(ExifTags.IFD.Exif)
    camera[ExifTags.Base.DateTimeOriginal] = "2026:11:23 11:25:00"
    if offset:
        camera[ExifTags.Base.OffsetTimeOriginal] = offset
    gps = told.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = "E", (113.0, 36.0, 18.0)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "S" if south else "N", (34.0, 42.0, 18.0)
    return told


def png(width: int, height: int, body: bytes = b"", *, before: bytes = b"") -> bytes:
    """A PNG whose head says so much, with whatever is behind it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = _chunk(b"IHDR", head) + before + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb() -> bytes:
    """A PNG of half a megabyte that would be 2.7 GB of pixels."""
    squeezed = zlib.compressobj(9)
    row = bytes(1 + 3 * 30_000)
    body = b"".join(squeezed.compress(row) for _ in range(6_000)) + squeezed.flush()
    return png(30_000, 30_000, body)


def wordy_bomb() -> bytes:
    """A small PNG with a text that would be half a gigabyte."""
    text = zlib.compress(bytes(512 << 20), 9)
    return png(1, 1, zlib.compress(bytes(4)), before=_chunk(b"zTXt", b"Comment\x00\x00" + text))


SCRIPT = b"<html><img src=x onerror=alert(1)><script>alert(document.cookie)</script></html>"


def polyglot() -> bytes:
    """A JPEG that is a page as well: the page is in its comment, and behind its end."""
    content = photo()
    comment = b"\xff\xfe" + struct.pack(">H", len(SCRIPT) + 2) + SCRIPT
    return content[:2] + comment + content[2:] + SCRIPT


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
PDF = b"%PDF-1.7\n1 0 obj\n<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
