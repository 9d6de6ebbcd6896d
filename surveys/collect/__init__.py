"""ODK Collect, which files visits too.

`visit_form` (its rows) `collect_forms` (what is given out) `submissions` (read out of XML; pure) `submitted_visits`
`submitted_media`
"""
