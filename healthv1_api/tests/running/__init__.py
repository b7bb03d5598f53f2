"""Real servers on loopback, and the service as it is installed on a host, for one test run."""
