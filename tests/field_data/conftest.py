"""Where the real files are: the folder that ZOUFANG_FIELD_DATA names."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def field_data() -> Path:
    """The folder of real files; fails, rather than skips, when it was not said or is not there."""
    named = os.environ.get("ZOUFANG_FIELD_DATA")
    if not named:
        pytest.fail("set ZOUFANG_FIELD_DATA to the folder of field data: make check-data DATA=…")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"ZOUFANG_FIELD_DATA names {folder}, which is no folder")
    return folder
