"""Who did what, when, and how it ended: on each host and with the operator, in chains that break visibly."""
