"""Data keys are kept, wrapped by the master key. The application role adds some, and changes or removes none."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

from healthv1_api.migrations.roles import application_role

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "data_keys",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), primary_key=True),
        sa.Column("purpose", sa.Text(), sa.CheckConstraint("purpose IN ('data', 'index')"), nullable=False),
        # A fingerprint of the master key that wraps it: a second one is noticed before anything is written under it.
        sa.Column("master", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), server_default=sa.func.now(), nullable=False),
        schema="health",
    )
    # One index key for good: with a second one, what was stored under the first could not be found.
    op.create_index(
        "data_keys_one_index",
        "data_keys",
        ["purpose"],
        unique=True,
        schema="health",
        postgresql_where=sa.text("purpose = 'index'"),
    )
    op.execute(f"GRANT INSERT ON health.data_keys TO {application_role()}")


def downgrade() -> None:
    op.drop_table("data_keys", schema="health")
