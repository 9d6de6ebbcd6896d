"""Doors: the register, the lists it comes from, and what of it is written twice.

- doors: `premises` (the register) `door_states` (derived from visits) `premises_changes` `premises_lists`
- lists of doors: `premises_mapping` `premises_rows` `premises_imports` `premises_likeness` `premises_doubles` (on the
  register)
"""
