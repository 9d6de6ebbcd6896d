"""People: who reads, who belongs where, who may do what on whose rows.

`people` (a reader, their grants, who is on duty) `organisations` `members` `roles` `member_changes` `member_imports`
`member_lists` `absences` `scopes` (what a reader reaches)
"""
