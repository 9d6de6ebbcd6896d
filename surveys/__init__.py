"""What people did and what is owed to whom; knows no HTTP, opens no connection, reads no clock.

Where does it go? From low to high, by what it is about:

- saying no, and carrying rows: `refusals` `cursors` `copying` (in) `selections` (out) `made_files` (out, later)
- the history: `history` (events and their texts) `history_seals` (the chain over them) `audit` (as an auditor reads it)
  `job_runs` (what the program did by itself)
- people: `people` (a reader, their grants, who is on duty) `organisations` `members` `roles` `member_changes`
  `member_imports` `member_lists` `absences` `handing_on` (their issues go to others) `scopes` (what a reader reaches)
- what lies where nobody can be sure: `uncertain_places` (the queue, and settling it); lists that are opened again:
  `saved_views`
- coming in: `sessions` (tokens, browsers) `passwords` `one_time_codes` `second_factors` `sign_ins` `account_notices`
  `invitations`
- what is sealed: `sealing` (the key ring) `contacts` `reveals` `resealing`; and forgotten: `erasures` `retention`
  `residents` (a resident's rights)
- time that counts: `clock` (working time; pure) `calendars` (a district's office hours and holidays)
  `office_hours` `deadlines` (an issue's) `reckonings` (once a year is published)
- issues: `categories` `category_lists` (as the desk shows them)
  `placing` `workflow` (the table of moves) `standings` (who is what to one) `measures` (what the
  rates are counted from) `issues` (how they come to be) `issue_changes` (how they are written)
- moving them: `moves` (as they are asked for) `issue_moves` `offers` (who takes one on) `candidates` (who
  could) `judgements` (giving back, pausing, extending) `corrections` `channels` (changed, and followed by a leader)
  `joint_reviews` `appointments` (of an agent)
- reading them: `rate_terms` (what each rate counts) `issue_query` (the one query) `issue_lists` `issue_counts`
  `issue_rows` `boards` (queues, and the time left) `choices` `map_layers` `trust` (of the map's numbers) `rates`
  `rate_breakdowns` `rate_weights` (of the index made of them)
- counting them in memory (counting.md): `column_rows` (as they come out of the tables) `column_numbers` (for texts and
  ids) `issue_columns` `column_loading` (and what changed since) `kept_columns` (of a process) `issue_views` (now, or
  at a moment) `issue_texts` (searched for) `issue_masks` (the one query over them) `shown_issues` `issue_sums`
  `rate_sums`
- the same thing reported twice: `merging` `likeness` (how alike, and why) `twins` `twin_proposals`
- contact cards: `card_numbers` `card_terms` (what they say) `contact_cards` (made, left at a door, revoked)
  `card_doors` (what a resident sees) `card_reports`
- from outside: `outside_reports` (what cards and apps report becomes issues) `integrations` (city apps and their keys)
  `app_reports` `app_requests` (where those stand)
- asking whether it is solved: `return_visits` (invitations, silence) `return_visit_answers` `return_visit_lists`
  `return_visits_due` (whom to ask)
- what is late, and who is told: `deadline_rules` `reminders` `escalations` `following` (the history) `event_tellings`
  `notices` `notice_channels` `webhooks`
- doors: `premises` (the register) `door_states` (derived from visits) `campaigns` `campaign_changes`
  `days` (what a member's phone takes along)
- coverage of a campaign: `coverage_terms` (what each figure counts) `coverage_reach` `coverage_query` (the one query)
  `coverage` `coverage_doors` (lists and maps) `coverage_sums` (kept, and outdated by marks)
- what a leader asks in a meeting: `dashboards` `dashboard_periods` (pure) `dashboard_trust` `visit_days`
- lists of doors, and what of them is written twice: `premises_mapping` `premises_rows` `premises_imports`
  `premises_likeness` `premises_doubles` (on the register); and doors themselves: `premises_changes` `premises_lists`
- who visits which door: `assignments` `assignment_lists` `proposals` `proposal_changes` `walking_routes`
  `route_tasks` `route_solver` (in a process of its own)
- visits: `visit_drafts` `visit_rules` (what must be right) `visits` (filing) `colleagues` (whom one may name)
  `receipts` `visit_corrections` `visit_flags` `visit_query` `visit_rows`
- ODK Collect: `visit_form` (its rows) `collect_forms` (what is given out) `submissions` (read out of XML; pure)
  `submitted_visits` `submitted_media`
- questionnaires: `questionnaire_fields` (questions, and answers held to them; pure) `questionnaires` (published in
  versions) `questionnaire_answers`
- photos and files: `pictures` (what they are, and made anew; pure) `attachments` (kept and forgotten) `photos` (who may
  send them, who sees them) `uploads` (on their way)
- briefs: `report_periods` (weeks and months; pure) `reports` (their figures; pure) `report_changes` (what got better or
  worse; pure) `report_cases` (good ones) `report_sources` (what they are made of) `report_makings` `report_archive` (as
  they are read) `report_templates` (of Word files)
- taking over what others kept: `ledgers` `ledger_mapping` `ledger_rows` `ledger_dates` `ledger_lives`
- at the end two rooms of their own: `volunteering/` and `assessments/`
"""
