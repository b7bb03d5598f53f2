"""PostgreSQL: the service's pool, and the standing of its migrations."""
