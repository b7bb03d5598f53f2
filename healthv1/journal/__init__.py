"""The journal of all runs, on each host and with the operator: hash chains, which show any tampering."""
