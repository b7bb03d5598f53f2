"""Our own facts: each runs one command, and has a default before its program is installed."""
