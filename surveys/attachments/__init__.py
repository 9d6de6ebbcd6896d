"""Photos and files.

`pictures` (what they are, and made anew; pure) `attachments` (kept and forgotten) `photos` (who may send them, who sees
them) `uploads` (on their way)
"""
