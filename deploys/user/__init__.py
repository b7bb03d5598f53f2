"""The account that owns the API and its files (row G2 of the guide)."""
