"""What passwords and keys become on a host: verifiers, logins that take turns, and what tells a master key."""
