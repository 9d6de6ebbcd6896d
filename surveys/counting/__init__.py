"""Issues read, listed, drawn and counted; each number is the length of a list.

- asked of the database: `rate_terms` (what each rate counts) `issue_query` (the one query) `issue_lists` `issue_counts`
  `issue_rows` `map_layers` `trust` (of the map's numbers) `rates` `rate_breakdowns` `rate_weights` (of the index made
  of them)
- counted in memory (counting.md): `column_rows` (as they come out of the tables) `column_numbers` (for texts and ids)
  `issue_columns` `column_loading` (and what changed since) `kept_columns` (of a process) `issue_views` (now, or at a
  moment) `issue_texts` (searched for) `issue_masks` (the one query over them) `shown_issues` `issue_sums` `rate_sums`
"""
