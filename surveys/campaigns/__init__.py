"""Campaigns: who visits which door until when, and on which way.

- `campaigns` `campaign_changes` `days` (what a member's phone takes along)
- who visits which door: `assignments` `assignment_lists` `proposals` `proposal_changes` `walking_routes` `route_tasks`
  `route_solver` (in a process of its own)
"""
