"""Backups, restores, drills and copies of the database, as the operator's side sees them."""
