"""The settings of the service, of its migrations and of its keys, read from the environment and nowhere else."""

from healthv1_api.settings.commands import KeySettings, MigrationSettings, RewrapSettings
from healthv1_api.settings.reading import read
from healthv1_api.settings.service import ServiceSettings

__all__ = ["KeySettings", "MigrationSettings", "RewrapSettings", "ServiceSettings", "read"]
