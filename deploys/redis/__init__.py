"""Redis (row G13 of the guide): the distribution's, on loopback or the private network, behind a password."""
