"""Checks against real files, which are not part of the project."""
