"""What organisations and members promise, and how they are rated for their service. Residents rate and never are.

From low to high:
"""
