"""The doors: HTTP, pages, background jobs, the command line.

Where does it go? `app` puts everything together; one file per noun answers for its routes:

- what the program runs on: `settings` `database` `migrations` `embedded_postgres` `postgres_programs` `postgres_dumps`
  `key_ring` `logs` `health` `metrics` `jobs` (again and again) `errands` (once) `job_queue`
- who is it, and how often: `auth` `basic_access` `session_cookies` `entrance` (where a secret is shown) `sign_in`
  `first_access` `second_factor` `account` `devices` `limits`
- what every door shares: `json_bodies` (in) `problem_details` (no) `problem_texts` `expected_words`
  `documented_problems` `documented_subjects` `documented_types` `openapi_examples` `pages` `public_pages`
  (for whoever opens them) `shell` (what stands around them) `texts` (in the reader's language; `locale/`) `qr_codes`
- work: `visits` `filing` (visits that arrive together) `issues` `rates` `coverage` `coverage_page` `dashboards`
  `dashboard_pages` `twins` `return_visits` `maps` `map_files` (without a server) `tiles` `communities` `contacts` `day`
  (what a phone takes along) `campaigns` `premises` (the register of doors) `premises_pages` `places` (that are
  uncertain) `views` (that are saved)
  `phone_client` (the app) `campaign_pages` `assignments` `route_plans` (proposals under way) `route_planner` (the
  process that divides doors)
- `desk/`: the pages of those who work through issues
- `volunteering/`: teams, services, the time bank, points, the public board; `assessments/`: commitments, scorecards,
  ballots, `instrument_files` (scorecards as spreadsheets)
- people: `office_hours` `categories` (and the bounds of handling) `organisations` `members`
  `colleagues` (whom a visit may name) `people_pages` `invitation_slips` `printed_pages`
- for other programs: `ogc` (OGC API Features) `ogc_questions` `ogc_documents` `ogc_definition` `ogc_features`
  `open311` (GeoReport, for city apps) `open311_questions` `open311_answers` `integrations` (their keys)
- ODK Collect: `openrosa` (its routes) `openrosa_access` `openrosa_bodies` `openrosa_filing` `openrosa_forms`
  `openrosa_answers`
- contact cards: `cards` (for those who give them out) `card_making` `card_sheets` `resident_page` `card_sessions`
  `card_words` `card_service_words`
- being told: `notices` `notice_words` `notice_sending` `webhooks` `webhook_sending` `outgoing` (where messages may go)
- photos and files: `photos` `uploads` (in parts) `attachments` (taking in) `upload_parts` (the parts' files)
  `attachment_store` (where they lie) `pictures` and `picture_maker` (the processes that decode)
- trust: `audit` `history_words` `residents` `resident_texts` `erasure_journal` `backups` `backup_files`
  `installation_checks`
- questionnaires: `questionnaires` `questionnaire_pages` `shipped_questionnaires` `xlsforms` (an XLSForm made into one)
  `xlsform_files` `xlsform_columns` `xlsform_expressions` `xlsform_checks` `xlsform_faults` (by sheet, row, column)
  `xlsform_maker` (the process that opens them) `answer_exports` `answer_tables` `answer_columns`
- briefs: `reports` (their routes) `report_page` `report_making` (by schedule and when asked) `report_sheets` (figures
  in words) `report_files` `report_maker` (the process that sets them) `report_word` `report_template_rules`
- tables that come in: `imports` (through a page) `list_imports` `tables` `point_files` (GeoJSON) `category_lists`
  `holiday_lists` `member_files` `volunteer_files` `ledgers` `premises_files` `premises_reports`
- and go out: `exports` `figure_exports` (rates and coverage) `export_tables` `figure_tables` `round_tables`
  `time_statement_table` `commitment_table`
  `history_table` (what is asked for) `export_columns` `export_sql` (as PostgreSQL writes them) `export_making`
  `export_files` (the process that makes files); and later: `made_files` (by a job) `export_requests` `made_file_pages`
- `cli/`: one file per command; `demo/`: the invented district; `templates/` and `web/`: pages, and what builds them
"""
