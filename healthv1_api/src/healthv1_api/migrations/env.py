"""Alembic's way in: revisions run on the connection that `migrate` holds, each in a transaction of its own."""

from alembic import context

from healthv1_api.database.standing import SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    transaction_per_migration=True,
    version_table_schema=SCHEMA,
)
with context.begin_transaction():
    context.run_migrations()
