"""How fast the program is, each figure beside its ceiling; `python -m tests.bench` prints the table."""
