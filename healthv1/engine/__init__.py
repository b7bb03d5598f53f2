"""All contact with pyinfra's internals: written against 3.10, which pyproject.toml pins."""
