"""The evidence of restore drills, as it comes from the hosts: verified, and shown."""
