"""A patient is read and the read is told by one function, whose plans PostgreSQL keeps.

What is asked most would else be planned anew each time: through a pooler in transaction mode nothing is prepared.
"""

from alembic import op

from healthv1_api.migrations.roles import application_role

revision = "0007"
down_revision = "0006"
SIGNATURE = "health.read_patient(uuid, uuid, uuid, text, text, inet)"
READ = """
CREATE FUNCTION health.read_patient(
    organization uuid, subject uuid, actor uuid, action text, request text, address inet
) RETURNS SETOF health.patients LANGUAGE plpgsql ROWS 1 AS $$
BEGIN
    INSERT INTO health.audit_events (organization_id, actor_id, action, subject_id, request_id, address)
    VALUES ($1, $3, $4, $2, $5, $6);
    RETURN QUERY SELECT * FROM health.patients WHERE patients.organization_id = $1 AND patients.id = $2;
END $$
"""


def upgrade() -> None:
    op.execute(READ)
    op.execute(f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {SIGNATURE} TO {application_role()}")


def downgrade() -> None:
    op.execute(f"DROP FUNCTION {SIGNATURE}")
