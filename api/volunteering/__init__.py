"""The doors of volunteering: teams, services, the time bank, points, and the public board.

- `me` (a volunteer's own page, of sections) `passes` (whose it is: by session or by personal link)
- `services` `bookings` `card_bookings` (through a contact card)
- `points` `models` (over HTTP) `points_pages` `rules_form` `models_page` `my_points` (a section of one's own page)
- the public board: `board` `board_content` `kept_answers` (made once); in words: `kinds` `months`
"""

from typing import Any

from api.volunteering import (
    board,
    bookings,
    card_bookings,
    me,
    models,
    models_page,
    passes,
    points,
    points_pages,
    services,
)

ROUTES: list[Any] = [
    *passes.ROUTES,
    *me.ROUTES,
    *services.ROUTES,
    *bookings.ROUTES,
    *card_bookings.ROUTES,
    *points.ROUTES,
    *models.ROUTES,
    *points_pages.ROUTES,
    *models_page.ROUTES,
    *board.ROUTES,
]
