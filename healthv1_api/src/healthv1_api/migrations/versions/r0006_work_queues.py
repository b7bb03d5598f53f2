"""Orders and tasks wait in queues of their own, each claimed by one worker at a time until it is completed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP, UUID

from healthv1_api.migrations.roles import application_role

revision = "0006"
down_revision = "0005"
QUEUES = ("lab_orders", "imaging_orders", "worklist")


def upgrade() -> None:
    for queue in QUEUES:
        _queue(queue)
        op.execute(f"GRANT INSERT, UPDATE ON health.{queue} TO {application_role()}")


def _queue(name: str) -> None:
    op.create_table(
        name,
        sa.Column("id", UUID(), primary_key=True),
        sa.Column("organization_id", UUID(), sa.ForeignKey("health.organizations.id"), nullable=False),
        sa.Column("patient_id", UUID(), sa.ForeignKey("health.patients.id"), nullable=False, index=True),
        sa.Column("key_id", sa.Integer(), sa.ForeignKey("health.data_keys.id"), nullable=False, index=True),
        sa.Column("details", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("claimed_by", UUID()),
        sa.Column("claimed_until", TIMESTAMP(timezone=True)),
        sa.Column("completed_at", TIMESTAMP(timezone=True)),
        schema="health",
    )
    # Only what is still to do: claiming and counting stay quick, however much was done.
    op.create_index(
        f"{name}_to_do",
        name,
        ["organization_id", "id"],
        schema="health",
        postgresql_where=sa.text("completed_at IS NULL"),
    )


def downgrade() -> None:
    for queue in QUEUES:
        op.drop_table(queue, schema="health")
