"""The reverse proxy (row G14 of the guide): TLS, rate limits, headers, and every instance of the API behind it."""
