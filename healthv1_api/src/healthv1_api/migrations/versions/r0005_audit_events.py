"""Who did what, when and from where is kept for good: nobody changes or removes it, its owner included.

Not partitioned: only the owner could make partitions, and the service would stop on the day that one is missing. A
BRIN index keeps a span of time cheap to find, and this table can later be attached to a partitioned one as it is.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import INET, TIMESTAMP, UUID

from healthv1_api.migrations.roles import application_role

revision = "0005"
down_revision = "0004"
REFUSE = """
CREATE FUNCTION health.refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit trail only grows' USING ERRCODE = 'insufficient_privilege'; END $$
"""
GUARD = """
CREATE TRIGGER audit_events_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON health.audit_events
FOR EACH STATEMENT EXECUTE FUNCTION health.refuse_change()
"""


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        # No foreign keys: an event outlives what it tells of.
        sa.Column("organization_id", UUID()),
        sa.Column("actor_id", UUID()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_id", UUID()),
        sa.Column("request_id", sa.Text()),
        sa.Column("address", INET()),
        schema="health",
    )
    # No primary key: nobody asks for an event by its number alone, and each read of a patient pays for each index.
    op.create_index("audit_events_pages", "audit_events", ["organization_id", "id"], unique=True, schema="health")
    subject = ["organization_id", "subject_id", "id"]
    op.create_index("audit_events_subjects", "audit_events", subject, schema="health")
    op.create_index("audit_events_times", "audit_events", ["at"], schema="health", postgresql_using="brin")
    op.execute(REFUSE)
    op.execute(GUARD)
    op.execute(f"GRANT INSERT ON health.audit_events TO {application_role()}")


def downgrade() -> None:
    op.drop_table("audit_events", schema="health")
    op.execute("DROP FUNCTION health.refuse_change()")
