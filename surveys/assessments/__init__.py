"""What organisations and members promise, and how they are rated for their service. Residents rate and never are.

From low to high:

- scorecards: `instruments` (published in versions) `scoring` (points to per cent, with the reason of each; pure)
  `stars` (ranks and stars; pure) `rating_points` (what a rater may give; pure)
  `instrument_faults`
"""
