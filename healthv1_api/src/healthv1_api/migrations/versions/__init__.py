"""One file per revision, first to last by number."""
