"""Asking whether it is solved.

`return_visits` (invitations, silence) `return_visit_answers` `return_visit_lists` `return_visits_due` (whom to ask)
"""
