"""People who serve in their own time: their teams, what they do, the time that it takes, and what comes of it.

Residents are helped here and never rated; a volunteer who is not a member is known by a number, and by a name for as
long as they like. From low to high:

- `standing` (who looks after which team)
- `repeats` (of a request) `skills` (and hours) `volunteer_phones` `volunteers` (registered, and what to call them)
  `volunteer_changes` `volunteer_passes` (personal links) `team_members` (joining, leaving) `endings`
- `teams` (founded) `team_changes` `team_lists` `volunteer_lists` `own_records` (what is kept on one)
  `volunteer_imports`
- the time bank: `time_rules` `time_ledger` (entries, written once) `time_accounts` `time_claims` (what was served, as
  it is said) `time_bank` (earned, passed on, corrected) `time_sums` `time_statements`
- services: `service_rows` (as they are kept) `service_volunteers` (who serves) `bookings` (and the waiting list)
  `service_notices` (told to members) `services` (announced, changed, cancelled, to come) `service_return_visits` (how
  was it) `service_reports` (held) `service_lists` `service_marks` (on the map) `service_photos` `service_figures`
  `booking_lists` (as who made them sees them) `booking_outcomes` (missed, given up)
  `services_to_ask` (whom to ask) `card_records` (for residents' rights)
- help that is asked for with minutes: `help_reserves` (set aside) `help_requests` `help_taking` `help_done`
  `help_lists` `relatives` `time_decisions` (on what was held)
- `deeds` (what was done) `points_rules` (in versions) `points` (what the rules give) `points_boards` (published)
  `models` (whom others may take as an example) `model_candidates` (who could be)
"""
