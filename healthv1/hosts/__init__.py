"""The hosts: connections, facts and operations, and all use of pyinfra's internals."""
