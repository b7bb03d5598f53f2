"""Whom a revision grants rights to: the role that the service connects as."""

from alembic import op


def application_role() -> str:
    """The role's name, quoted for SQL."""
    config = op.get_context().config
    assert config is not None
    name: str = config.attributes["application_role"]
    return op.get_bind().dialect.identifier_preparer.quote_identifier(name)
