"""Our few own facts: each asks everything in one command and answers before its program is installed."""
