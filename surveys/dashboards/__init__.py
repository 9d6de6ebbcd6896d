"""What a leader asks in a meeting.

`dashboards` `dashboard_periods` (pure) `dashboard_trust` `visit_days`
"""
