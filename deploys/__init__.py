"""The host side: what must be true on a server."""
