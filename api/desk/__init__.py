"""The desk: pages rendered here for those who work through issues, quick on an old machine and ready for the keyboard.

- `board` (queues, and every list of issues) `narrowing` (filters as they are shown and sent)
- `ways` (what stands around each page) `words` (what things are called)
"""

from typing import Any

from api.desk import board

ROUTES: list[Any] = [
    *board.ROUTES,
]
