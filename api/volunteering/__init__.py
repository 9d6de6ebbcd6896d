"""The doors of volunteering: teams, services, the time bank, points, and the public board.

- `teams` `volunteers` `team_pages` `week_words`
- `me` (a volunteer's own page, of sections) `my_data` (what is kept on them) `passes` (whose it is: by session or by
  personal link)
- `points` `models` (over HTTP) `points_pages` `rules_form` `models_page` `my_points` (a section of one's own page)
- the public board: `board` `board_content` `kept_answers` (made once); in words: `kinds` `months`
- `time_bank` (for those who look after volunteers) `time_files` (statements) `time_own` (what volunteers do by
  themselves) `time_pages` `help_page` (asking for somebody) `time_section` (of a volunteer's own page)
- `services` `service_pages` `bookings` `booking_pages` (those that are over) `card_bookings` (through a contact card)
  `my_services` (of a volunteer) `team_services` (of a team's page)
"""

from typing import Any

from api.volunteering import (
    board,
    booking_pages,
    bookings,
    card_bookings,
    help_page,
    me,
    models,
    models_page,
    my_data,
    my_services,
    passes,
    points,
    points_pages,
    service_pages,
    services,
    team_pages,
    teams,
    time_bank,
    time_files,
    time_own,
    time_pages,
    volunteers,
)

ROUTES: list[Any] = [
    *teams.ROUTES,
    *volunteers.ROUTES,
    *team_pages.ROUTES,
    *my_data.ROUTES,
    *passes.ROUTES,
    *me.ROUTES,
    *services.ROUTES,
    *service_pages.ROUTES,
    *my_services.ROUTES,
    *bookings.ROUTES,
    *booking_pages.ROUTES,
    *card_bookings.ROUTES,
    *time_bank.ROUTES,
    *time_files.ROUTES,
    *time_own.ROUTES,
    *time_pages.ROUTES,
    *help_page.ROUTES,
    *points.ROUTES,
    *models.ROUTES,
    *points_pages.ROUTES,
    *models_page.ROUTES,
    *board.ROUTES,
]
