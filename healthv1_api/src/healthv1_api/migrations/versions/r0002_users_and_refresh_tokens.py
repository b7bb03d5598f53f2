"""Users log in, hold roles, and keep a family of refresh tokens per login, of which one is good at a time."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP, UUID

from healthv1_api.migrations.roles import application_role

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _users()
    _refresh_tokens()
    role = application_role()
    op.execute(f"GRANT INSERT, UPDATE ON health.users, health.refresh_families, health.refresh_tokens TO {role}")
    op.execute(f"GRANT INSERT ON health.user_roles TO {role}")
    op.execute(f"GRANT DELETE ON health.refresh_families, health.refresh_tokens TO {role}")


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("id", UUID(), server_default=sa.text("gen_random_uuid()"), primary_key=True),
        sa.Column("organization_id", UUID(), sa.ForeignKey("health.organizations.id"), nullable=False),
        sa.Column("username", sa.Text(), nullable=False, unique=True),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), server_default=sa.func.now(), nullable=False),
        schema="health",
    )
    op.create_table(
        "user_roles",
        sa.Column("user_id", UUID(), sa.ForeignKey("health.users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("role", sa.Text(), sa.ForeignKey("health.roles.name"), primary_key=True),
        schema="health",
    )


def _refresh_tokens() -> None:
    user = sa.ForeignKey("health.users.id", ondelete="CASCADE")
    op.create_table(
        "refresh_families",
        sa.Column("id", UUID(), primary_key=True),
        sa.Column("user_id", UUID(), user, nullable=False, index=True),
        sa.Column("created_at", TIMESTAMP(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", TIMESTAMP(timezone=True), nullable=False, index=True),
        sa.Column("revoked_at", TIMESTAMP(timezone=True)),
        schema="health",
    )
    family = sa.ForeignKey("health.refresh_families.id", ondelete="CASCADE")
    op.create_table(
        "refresh_tokens",
        # Of the token only its SHA-256 is kept: who reads the table cannot log in with it.
        sa.Column("digest", sa.LargeBinary(), primary_key=True),
        sa.Column("family_id", UUID(), family, nullable=False, index=True),
        sa.Column("used_at", TIMESTAMP(timezone=True)),
        schema="health",
    )


def downgrade() -> None:
    for table in ("refresh_tokens", "refresh_families", "user_roles", "users"):
        op.drop_table(table, schema="health")
