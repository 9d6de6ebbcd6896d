"""The journal of erasures, beside the key ring: ids and times only, so that a restored backup forgets again."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from api.settings import Settings
from surveys.privacy.erasures import Erasure
from surveys.refusals import Refusal

NAME = "erasures.jsonl"


class JournalUnwritable(Refusal):
    """The journal cannot be written, and nothing is forgotten that a backup could bring back unnoticed."""

    code = "journal_unwritable"


def path(settings: Settings) -> Path:
    """Where the journal lies."""
    return settings.key_file.parent / NAME


def append(settings: Settings, erasure: Erasure) -> None:
    """Write an erasure down for good, before it is committed: one that is not would be lost to a restore, while one too
    many was asked for all the same. Raises JournalUnwritable."""
    try:
        descriptor = os.open(
            path(settings), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            file.write(b"\n" + msgspec.json.encode(erasure))  # a line of its own, whatever a crash left before it
            os.fsync(file.fileno())
    except OSError:
        raise JournalUnwritable from None


def read(settings: Settings) -> Sequence[Erasure]:
    """Every erasure, oldest first; a line that a crash left unfinished is passed over."""
    try:
        lines = path(settings).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Erasure))
        except msgspec.DecodeError:
            continue
    return found
