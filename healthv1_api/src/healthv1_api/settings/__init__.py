"""The settings of the service and of its migrations, read from the environment and nowhere else."""

from healthv1_api.settings.migration import MigrationSettings
from healthv1_api.settings.reading import read
from healthv1_api.settings.service import ServiceSettings

__all__ = ["MigrationSettings", "ServiceSettings", "read"]
