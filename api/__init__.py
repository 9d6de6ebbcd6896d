"""The doors: HTTP, pages, the phone client, the command line."""
