"""What the commands of `healthv1 secrets` do."""
