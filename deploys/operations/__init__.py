"""Our few own operations: each compares, announces what it would change, and sends one command that fails loudly."""
