"""What organisations and members promise, and how they are rated for their service. Residents rate and never are.

From low to high:

- scorecards: `instruments` (published in versions) `instrument_sheets` (what their columns are called)
  `instrument_cells` `instrument_rows` (out of a spreadsheet; pure) `instrument_faults`
  `scoring` (points to per cent; pure) `score_reasons` (how each point came about; pure) `stars` (ranks and stars; pure)
  `rating_points` (what a rater may give; pure)
  `rating_context` (what they see beside it)
- `windows` (where people are served)
- rounds of ratings: `round_steps` (and their dates; pure) `round_standing` (what a reader is to one) `rounds`
  `round_changes` `raters` (who rates whom) `ratings` (what they give) `round_tasks` (what one has to rate)
  `round_codes` (by which the people rate) `round_progress` (who is missing) `facts` (items that fill themselves)
  `results` (worked out) `appeals` `round_decisions` (on stars) `round_results` (as they are read)
  `served_hours` (that they count) `public_stars` (for anybody)
- public commitments: `commitment_audiences` (for whom) `commitment_outcomes` (kept, broken, overdue: computed)
  `commitments` (read, by members, by anybody, and at doors) `commitment_photos` (that prove it) `commitment_terms`
  `commitment_moves` (made, approved, reported done, withdrawn) `commitment_ratings` (by oneself, a leader, the people
  concerned) `commitment_records` (of what a card said, for residents' rights) `commitment_figures` `commitment_rows`
- ballots: `ballot_terms` `ballot_slips` (their codes) `ballot_boxes` (sums, sealed, and marks) `ballot_results` (pure)
  `ballots` (as they are read) `ballot_votes` (cast) `ballot_changes` (made, counted, published)
"""
