"""Secrets in Vault or OpenBao, and how to log in to it."""

from healthv1.secrets.vault.auth import AppRole, Certificate, Jwt, Kubernetes, Token
from healthv1.secrets.vault.backend import Vault
from healthv1.secrets.vault.engine import Engine

__all__ = ["AppRole", "Certificate", "Engine", "Jwt", "Kubernetes", "Token", "Vault"]
