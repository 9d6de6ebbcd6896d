"""Questionnaires, published in versions that never change.

`questionnaire_fields` (questions, and answers held to them; pure) `questionnaires` `questionnaire_answers`
"""
