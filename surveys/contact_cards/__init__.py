"""Contact cards, which are left at doors.

`card_numbers` `card_terms` (what they say) `contact_cards` (made, left at a door, revoked) `card_doors` (what a
resident sees)
"""
