"""Who asks, proven by a password once and by tokens after that, and what their roles let them do."""
