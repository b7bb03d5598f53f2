"""Roles can be taken away, and an admin's code lets a person choose another password."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP, UUID

from healthv1_api.migrations.roles import application_role

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "password_resets",
        # One code a person: a second one voids the first.
        sa.Column("user_id", UUID(), sa.ForeignKey("health.users.id", ondelete="CASCADE"), primary_key=True),
        # Of the code only its SHA-256 is kept: who reads the table cannot use it.
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", TIMESTAMP(timezone=True), nullable=False),
        schema="health",
    )
    op.execute(f"GRANT INSERT, UPDATE, DELETE ON health.password_resets TO {application_role()}")
    op.execute(f"GRANT DELETE ON health.user_roles TO {application_role()}")


def downgrade() -> None:
    op.execute(f"REVOKE DELETE ON health.user_roles FROM {application_role()}")
    op.drop_table("password_resets", schema="health")
