"""Visits, as they are filed, corrected, flagged and read.

`visit_drafts` `visit_rules` (what must be right) `visits` (filing) `colleagues` (whom one may name) `receipts`
`visit_corrections` `visit_flags` `visit_query` `visit_rows`
"""
