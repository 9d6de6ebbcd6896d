"""The doors of volunteering: teams, services, the time bank, points, and the public board."""

from typing import Any

ROUTES: list[Any] = []
