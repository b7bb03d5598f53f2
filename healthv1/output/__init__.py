"""Output of the process: secrets are redacted, and control characters are escaped."""
