"""What people did and what is owed to whom; knows no HTTP, opens no connection, reads no clock.

Where does it go? Here lies what everything else rests upon:

- saying no, and carrying rows: `refusals` `cursors` `copying` (in) `selections` (out) `made_files` (out, later)
- the history: `history` (events and their texts) `history_seals` (the chain over them) `audit` (as an auditor reads it)
  `job_runs` (what the program did by itself)

And, a room for each subject, whose own first lines list what is in it:

- people: `people/` (members, organisations, roles, scopes) `access/` (coming in) `privacy/` (sealed and forgotten)
- issues: `clock/` (time that counts) `issues/` (handled) `counting/` (read and counted) `desk/` (what waits there)
  `return_visits/` (is it solved?) `notices/` (who is told, and what is late)
- doors: `premises/` (the register) `campaigns/` (who visits which) `coverage/` `visits/` `collect/` (ODK)
  `questionnaires/` `attachments/` (photos)
- residents and what comes from outside: `contact_cards/` `intake/` `ledgers/` (lists of others)
- leaders: `dashboards/` `reports/`
- rooms that stand upon all of these: `volunteering/` `assessments/`
"""
