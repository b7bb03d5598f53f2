"""Secrets in AWS Secrets Manager."""

from healthv1.secrets.aws.backend import SecretsManager

__all__ = ["SecretsManager"]
