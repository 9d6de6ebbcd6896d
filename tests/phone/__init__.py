"""The phone client in a real Chromium, with the network really cut."""
