"""A patient is read and the read is told by one function, whose plans PostgreSQL keeps.

What is asked most would else be planned anew each time: through a pooler in transaction mode nothing is prepared.
A record is returned, not a row of a table: a statement that only calls a function has next to nothing to plan.
"""

from alembic import op

from healthv1_api.migrations.roles import application_role

revision = "0007"
down_revision = "0006"
SIGNATURE = "health.read_patient(uuid, uuid, uuid, text, text, inet)"
READ = """
CREATE FUNCTION health.read_patient(
    organization uuid, subject uuid, actor uuid, action text, request text, address inet
) RETURNS record LANGUAGE plpgsql AS $$
DECLARE
    patient record;
BEGIN
    INSERT INTO health.audit_events (organization_id, actor_id, action, subject_id, request_id, address)
    VALUES ($1, $3, $4, $2, $5, $6);
    SELECT id, version, created_at, updated_at, key_id, identifier, given_name, family_name, birth_date, notes
    INTO patient FROM health.patients WHERE patients.organization_id = $1 AND patients.id = $2;
    IF FOUND THEN
        RETURN patient;
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute(READ)
    op.execute(f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {SIGNATURE} TO {application_role()}")


def downgrade() -> None:
    op.execute(f"DROP FUNCTION {SIGNATURE}")
