"""What leaves the process: secrets are redacted, and nothing steers a terminal."""
