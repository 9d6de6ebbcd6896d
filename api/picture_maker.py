"""A process of its own that decodes what strangers send, so that a picture made to harm harms nothing else.

`python -m api.picture_maker` reads one line of JSON for each content and answers with one. It has a bounded memory,
no secret of ours in its environment, and works when nobody else wants to."""

import hashlib
import os
import resource
import signal
import sys
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from surveys.attachments import pictures
from surveys.attachments.pictures import Hint, NotAPicture, PictureBroken, PictureTooLarge
from surveys.refusals import Invalid

POLITE = 10  # of 19: whatever else the machine has to do goes first
MOST_MEMORY = 768 << 20  # bytes of address space; the largest picture that is decoded takes three quarters of it

MOST_SECONDS = 20.0  # of processor time for one picture; the slowest that is taken needs a tenth of it


class Wanted(Struct, frozen=True, kw_only=True):
    """A content in a file, and where to write what is made of it: the photo, or the document as it came, and the
    thumbnail."""

    source: str
    made: str
    thumbnail: str
    documents: bool


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a content is, and what was made of it; or by which code it was refused, with its facts."""

    sent: str = ""  # SHA-256 of the content as it came, in hexadecimal
    sent_bytes: int = 0
    refused: str | None = None
    facts: dict[str, int] = {}
    document: bool = False
    stored: str = ""  # SHA-256 of what was made
    bytes: int = 0
    width: int = 0
    height: int = 0
    thumbnail_bytes: int = 0
    lon: float | None = None
    lat: float | None = None
    taken_at: datetime | None = None

    @property
    def hint(self) -> Hint:
        return Hint(lon=self.lon, lat=self.lat, taken_at=self.taken_at)


REFUSALS: dict[str, type[Invalid]] = {kind.code: kind for kind in (NotAPicture, PictureBroken, PictureTooLarge)}


def main() -> None:
    """Answer line by line, until nobody asks any more."""
    os.nice(POLITE)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)  # whose signal ends the process
        answer = _answer(msgspec.json.decode(line, type=Wanted))
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


def _answer(wanted: Wanted) -> Answer:
    content = Path(wanted.source).read_bytes()
    sent = hashlib.sha256(content).hexdigest()
    try:
        if wanted.documents and pictures.kind_of(content) == "pdf":
            pictures.check_document(content)
            Path(wanted.made).write_bytes(content)
            return Answer(sent=sent, sent_bytes=len(content), document=True, stored=sent, bytes=len(content))
        made = pictures.make(content)
    except Invalid as refusal:
        facts = {name: value for name, value in refusal.facts.items() if isinstance(value, int)}
        return Answer(sent=sent, sent_bytes=len(content), refused=refusal.code, facts=facts)
    Path(wanted.made).write_bytes(made.photo)
    Path(wanted.thumbnail).write_bytes(made.thumbnail)
    return Answer(
        sent=sent,
        sent_bytes=len(content),
        stored=hashlib.sha256(made.photo).hexdigest(),
        bytes=len(made.photo),
        width=made.width,
        height=made.height,
        thumbnail_bytes=len(made.thumbnail),
        lon=made.hint.lon,
        lat=made.hint.lat,
        taken_at=made.hint.taken_at,
    )


if __name__ == "__main__":
    main()
