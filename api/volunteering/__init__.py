"""The doors of volunteering: teams, services, the time bank, points, and the public board.

- `me` (a volunteer's own page, of sections) `passes` (whose it is: by session or by personal link)
"""

from typing import Any

from api.volunteering import me, models, passes, points

ROUTES: list[Any] = [
    *passes.ROUTES,
    *me.ROUTES,
    *points.ROUTES,
    *models.ROUTES,
]
from api.volunteering import bookings, card_bookings, services

ROUTES: list[Any] = [*services.ROUTES, *bookings.ROUTES, *card_bookings.ROUTES]
