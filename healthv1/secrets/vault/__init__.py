"""Secrets in Vault or OpenBao, and how to log in to it."""

from healthv1.secrets.vault.auth import AppRole, Certificate, Jwt, Kubernetes, Token
from healthv1.secrets.vault.backend import Vault

__all__ = ["AppRole", "Certificate", "Jwt", "Kubernetes", "Token", "Vault"]
