"""Briefs of weeks and months, whose figures nothing entered later changes.

`report_periods` (weeks and months; pure) `reports` (their figures; pure) `report_changes` (what got better or worse;
pure) `report_cases` (good ones) `report_sources` (what they are made of) `report_makings` `report_archive` (as they are
read) `report_templates` (of Word files)
"""
