"""Each host is measured before anything changes; an unsupported one is refused."""
