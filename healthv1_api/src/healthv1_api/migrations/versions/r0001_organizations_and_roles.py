"""Organizations and roles exist; the application role may read, and only read, what is not granted further."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP, UUID

from healthv1_api.migrations.roles import application_role

revision = "0001"
down_revision = None


def upgrade() -> None:
    role = application_role()
    op.execute(f"GRANT USAGE ON SCHEMA health TO {role}")
    op.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA health GRANT SELECT ON TABLES TO {role}")
    # The ledger is older than the default. The readiness check reads it.
    op.execute(f"GRANT SELECT ON health.alembic_version TO {role}")
    op.create_table(
        "organizations",
        sa.Column("id", UUID(), server_default=sa.text("gen_random_uuid()"), primary_key=True),
        sa.Column("slug", sa.Text(), nullable=False, unique=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), server_default=sa.func.now(), nullable=False),
        schema="health",
    )
    op.create_table(
        "roles",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("description", sa.Text(), nullable=False),
        schema="health",
    )


def downgrade() -> None:
    role = application_role()
    op.drop_table("roles", schema="health")
    op.drop_table("organizations", schema="health")
    op.execute(f"REVOKE SELECT ON health.alembic_version FROM {role}")
    op.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA health REVOKE SELECT ON TABLES FROM {role}")
    op.execute(f"REVOKE USAGE ON SCHEMA health FROM {role}")
