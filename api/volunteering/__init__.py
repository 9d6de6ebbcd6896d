"""The doors of volunteering: teams, services, the time bank, points, and the public board."""

from typing import Any

from api.volunteering import models, points

ROUTES: list[Any] = [
    *points.ROUTES,
    *models.ROUTES,
]
