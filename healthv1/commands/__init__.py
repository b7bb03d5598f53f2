"""What each command does, without a terminal: open a session, work, return data."""
