"""What comes from outside and becomes issues.

`outside_reports` (what cards and apps report becomes issues) `card_reports` `integrations` (city apps and their keys)
`app_reports` `app_requests` (where those stand)
"""
