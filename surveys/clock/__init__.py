"""Time that counts.

`clock` (working time; pure) `calendars` (a district's office hours and holidays) `office_hours` `deadlines` (an
issue's) `reckonings` (once a year is published)
"""
