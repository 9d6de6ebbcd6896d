"""Where things are and how they look; knows no visit, issue or member."""
