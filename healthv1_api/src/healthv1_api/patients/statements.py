"""The SQL of patients. Each statement tells the audit trail of itself: one round trip, and both or neither."""

from healthv1_api.audit.trail import telling_even_of_nothing, telling_of

SEALED = ("identifier", "given_name", "family_name", "birth_date", "notes")
COLUMNS = f"id, version, created_at, updated_at, key_id, {', '.join(SEALED)}"
WRITTEN = (*SEALED, "identifier_digest", "name_digest", "key_id")
# One value, a record of COLUMNS: PostgreSQL need not plan where rows come from. Null when there is no such patient.
READ_PATIENT = (
    "SELECT health.read_patient(%(organization)s, %(subject)s, %(actor)s, %(action)s, %(request)s, %(address)s::inet)"
)
LIST_PATIENTS = f"""
WITH found AS (
    SELECT {COLUMNS} FROM health.patients
    WHERE organization_id = %(organization)s::uuid AND id > %(after)s::uuid ORDER BY id LIMIT %(limit)s::int
), told AS ({telling_even_of_nothing("found", "found.id")})
SELECT * FROM found ORDER BY id
"""


def _search(column: str) -> str:
    return f"""
WITH found AS (
    SELECT {COLUMNS} FROM health.patients
    WHERE organization_id = %(organization)s::uuid AND {column} = %(digest)s::bytea ORDER BY id LIMIT 100
), told AS ({telling_even_of_nothing("found", "found.id")})
SELECT * FROM found ORDER BY id
"""


SEARCH_BY_IDENTIFIER = _search("identifier_digest")
SEARCH_BY_NAME = _search("name_digest")
ADD_PATIENT = f"""
WITH done AS (
    INSERT INTO health.patients (id, organization_id, {", ".join(WRITTEN)})
    VALUES (%(subject)s, %(organization)s, {", ".join(f"%({column})s" for column in WRITTEN)})
    RETURNING id, version, created_at, updated_at
), told AS ({telling_of("done", "done.id")})
SELECT * FROM done
"""
LOOK_UP = (
    f"SELECT {COLUMNS} FROM health.patients WHERE organization_id = %(organization)s::uuid AND id = %(subject)s::uuid"
)
CHANGE_PATIENT = f"""
WITH done AS (
    UPDATE health.patients
    SET version = version + 1, updated_at = now(), {", ".join(f"{column} = %({column})s" for column in WRITTEN)}
    WHERE organization_id = %(organization)s AND id = %(subject)s AND version = %(version)s
    RETURNING id, version, created_at, updated_at
), told AS ({telling_of("done", "done.id")})
SELECT * FROM done
"""
