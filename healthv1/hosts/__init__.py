"""The hosts: how they are reached and asked, and all that we use of pyinfra's internals."""
