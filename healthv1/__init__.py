"""The operator side: what runs on a laptop or in CI."""
