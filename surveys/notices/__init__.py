"""What is late, and who is told of what.

`deadline_rules` `reminders` `escalations` `following` (the history) `event_tellings` `notices` `notice_channels`
`webhooks`
"""
