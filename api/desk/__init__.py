"""The desk: pages rendered here for those who work through issues, quick on an old machine and ready for the keyboard.

- `board` (queues, and every list of issues) `narrowing` (filters as they are shown and sent)
- `issue` (one page for all of it) `history_lines` (what was done, in words)
- `bulk` (many issues at once)
- `moves` (made without leaving the page) `move_forms` (as a browser sends them)
- lists, and what one does about a thing on them: `visits` `door` `cards` `categories` `limits` `imports`
  `places` (that are uncertain) `views` (that are saved) `blank_fields` (of their forms)
- `ways` (what stands around each page) `words` (what things are called)
"""

from typing import Any

from api.desk import board, bulk, cards, categories, door, imports, issue, limits, moves, places, views, visits

ROUTES: list[Any] = [
    *board.ROUTES,
    *bulk.ROUTES,
    *issue.ROUTES,
    *moves.ROUTES,
    *places.ROUTES,
    *visits.ROUTES,
    *door.ROUTES,
    *cards.ROUTES,
    *categories.ROUTES,
    *limits.ROUTES,
    *imports.ROUTES,
    *views.ROUTES,
]
