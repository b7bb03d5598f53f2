"""Patients are kept as ciphertext, and found by keyed digests of an identifier and of a name."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP, UUID

from healthv1_api.migrations.roles import application_role

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "patients",
        sa.Column("id", UUID(), primary_key=True),
        sa.Column("organization_id", UUID(), sa.ForeignKey("health.organizations.id"), nullable=False),
        sa.Column("key_id", sa.Integer(), sa.ForeignKey("health.data_keys.id"), nullable=False, index=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("identifier", sa.LargeBinary(), nullable=False),
        sa.Column("given_name", sa.LargeBinary(), nullable=False),
        sa.Column("family_name", sa.LargeBinary(), nullable=False),
        sa.Column("birth_date", sa.LargeBinary(), nullable=False),
        sa.Column("notes", sa.LargeBinary(), nullable=False),
        sa.Column("identifier_digest", sa.LargeBinary(), nullable=False),
        sa.Column("name_digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", TIMESTAMP(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", TIMESTAMP(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.UniqueConstraint("organization_id", "identifier_digest", name="patients_one_identifier"),
        schema="health",
    )
    # Identifiers are ordered by time (UUIDv7): pages follow this index.
    op.create_index("patients_pages", "patients", ["organization_id", "id"], schema="health")
    op.create_index("patients_names", "patients", ["organization_id", "name_digest"], schema="health")
    op.execute(f"GRANT INSERT, UPDATE ON health.patients TO {application_role()}")


def downgrade() -> None:
    op.drop_table("patients", schema="health")
