"""One deploy at a time per environment, on all its hosts."""
