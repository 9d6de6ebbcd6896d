"""How far a campaign has come, with the register as the denominator.

`coverage_terms` (what each figure counts) `coverage_reach` `coverage_query` (the one query) `coverage`
`coverage_doors` (lists and maps) `coverage_sums` (kept, and outdated by marks)
"""
