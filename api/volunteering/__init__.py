"""The doors of volunteering: teams, services, the time bank, points, and the public board.

- `me` (a volunteer's own page, of sections) `passes` (whose it is: by session or by personal link)
- `services` `bookings` `card_bookings` (through a contact card)
"""

from typing import Any

from api.volunteering import bookings, card_bookings, me, models, passes, points, services

ROUTES: list[Any] = [
    *passes.ROUTES,
    *me.ROUTES,
    *services.ROUTES,
    *bookings.ROUTES,
    *card_bookings.ROUTES,
    *points.ROUTES,
    *models.ROUTES,
]
