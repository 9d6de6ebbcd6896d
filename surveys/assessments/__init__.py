"""What organisations and members promise, and how they are rated for their service. Residents rate and never are.

From low to high:

- scorecards: `instruments` (published in versions) `instrument_sheets` (what their columns are called)
  `instrument_cells` `instrument_rows` (out of a spreadsheet; pure) `instrument_faults`
  `scoring` (points to per cent; pure) `score_reasons` (how each point came about; pure) `stars` (ranks and stars; pure)
  `rating_points` (what a rater may give; pure)
"""
