"""XLSForms for tests: made of rows, and made worse by hand."""

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence

from api.xlsform_files import Sheet, write_workbook

Rows = Sequence[Mapping[str, str]]

SETTINGS: Rows = ({"form_id": "stalls", "version": "1", "form_title": "摊位"},)
QUESTION = {"type": "text", "name": "a", "label": "问题"}


def workbook(survey: Rows | None, choices: Rows = (), settings: Rows = SETTINGS, **more: Rows) -> bytes:
    """A workbook of these sheets; an empty one is left out."""
    given = {"survey": survey, "choices": choices, "settings": settings, **more}
    sheets = {}
    for name, rows in given.items():
        if rows:
            headers = list(dict.fromkeys(header for row in rows for header in row))
            cells = {number: {head: text for head, text in row.items() if text} for number, row in enumerate(rows, 2)}
            sheets[name] = Sheet(name=name, headers=headers, rows=cells)
    return write_workbook(sheets)


def changed(content: bytes, change: Callable[[str, bytes], bytes] = lambda _, part: part, **further: bytes) -> bytes:
    """A workbook with the files in its archive changed, and with further ones; a name's __ stands for its slash."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            after.writestr(name, change(name, before.read(name)))
        for name, part in further.items():
            after.writestr(name.replace("__", "/") + ".bin", part)
    return made.getvalue()
