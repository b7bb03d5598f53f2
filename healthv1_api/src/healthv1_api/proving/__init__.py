"""Secrets are tried on what they open. Reasons are words of our own: what a server says may quote what it was given."""
