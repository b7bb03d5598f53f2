"""Secrets in a file that is encrypted, and safe to commit to the team's repository."""

from healthv1.secrets.file.backend import EncryptedFile

__all__ = ["EncryptedFile"]
