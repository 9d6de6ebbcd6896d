"""What is sealed, who opened it, and what is forgotten.

Sealed: `sealing` (the key ring) `contacts` `reveals` `resealing`; forgotten: `erasures` `retention` `residents` (a
resident's rights)
"""
