"""PostgreSQL (rows G6, G7 and G23 of the guide): tuned to its host, SCRAM everywhere, no patient in its log."""
