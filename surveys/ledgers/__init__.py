"""Taking over what others kept in lists.

`ledgers` `ledger_mapping` `ledger_rows` `ledger_dates` `ledger_lives`
"""
