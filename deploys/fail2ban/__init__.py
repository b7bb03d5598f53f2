"""Bans (row G21 of the guide): whoever guesses passwords is shut out by the kernel, whoever operates the host never."""
