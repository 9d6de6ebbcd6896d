"""The desk: pages rendered here for those who work through issues, quick on an old machine and ready for the keyboard.

- `board` (queues, and every list of issues) `narrowing` (filters as they are shown and sent)
- `issue` (one page for all of it) `history_lines` (what was done, in words)
- `bulk` (many issues at once)
- `moves` (made without leaving the page) `move_forms` (as a browser sends them)
- lists, and what one does about a thing on them: `places` (that are uncertain) `views` (that are saved)
- `ways` (what stands around each page) `words` (what things are called)
"""

from typing import Any

from api.desk import board, bulk, issue, moves, places, views

ROUTES: list[Any] = [
    *board.ROUTES,
    *bulk.ROUTES,
    *issue.ROUTES,
    *moves.ROUTES,
    *places.ROUTES,
    *views.ROUTES,
]
