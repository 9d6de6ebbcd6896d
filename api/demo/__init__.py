"""The demo district: an invented campaign in a real list of communities, to look at and to try things on.

The codes and names of streets and communities are real. Every line on the map, every person, door, visit and issue
is invented, and so is who handles what within which time.
"""

from api.demo.loading import accounts, load, tokens

__all__ = ["accounts", "load", "tokens"]
