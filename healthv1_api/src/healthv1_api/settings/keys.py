"""The settings of `keys`: the master key, and the way to what it wraps."""

from healthv1_api.settings.kinds import DatabaseUrl, MasterKey
from healthv1_api.settings.variables import Variables


class KeySettings(Variables):
    database_url: DatabaseUrl
    master_key: MasterKey
    master_key_also_accepted: MasterKey | None = None


class RewrapSettings(Variables):
    """The application role may not change keys: their owner does."""

    migration_database_url: DatabaseUrl
    master_key: MasterKey
    master_key_also_accepted: MasterKey | None = None
