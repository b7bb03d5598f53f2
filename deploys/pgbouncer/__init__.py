"""PgBouncer (row G26 of the guide): many clients share a few connections, and no session's state."""
