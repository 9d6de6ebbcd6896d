"""The desk: pages rendered here for those who work through issues, quick on an old machine and ready for the keyboard.

- `ways` (what stands around each of them)
"""

from typing import Any

ROUTES: list[Any] = []
