"""Backups, restores and drills, as the operator's side sees them: our program on the database host does the work."""
