"""What an operator sees of a running instance: logs and metrics, without a value that a client sent."""
