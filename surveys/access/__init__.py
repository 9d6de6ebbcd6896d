"""Coming in, and being known.

`sessions` (tokens, browsers) `passwords` `one_time_codes` `second_factors` `sign_ins` `account_notices` `invitations`
"""
