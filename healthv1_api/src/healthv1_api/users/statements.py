"""The SQL of people. Each statement names the organization, as those of patients do."""

from healthv1_api.audit.trail import telling_of
from healthv1_api.auth.statements import ROLES_OF

LIST_USERS = f"""
WITH told AS ({telling_of("(SELECT) AS asked", "%(subject)s::uuid")})
SELECT id, username, {ROLES_OF}, active FROM health.users u
WHERE organization_id = %(organization)s::uuid AND id > %(after)s::uuid ORDER BY id LIMIT %(limit)s::int
"""
# Of two admins who would each make the other one no admin, the second sees what the first did.
TAKE_TURN_AT_ROLES = "SELECT pg_advisory_xact_lock(hashtextextended('roles ' || %s::text, 0))"
HOLD_USER = f"""
SELECT username, {ROLES_OF}, active FROM health.users u WHERE organization_id = %s AND id = %s FOR NO KEY UPDATE
"""
OTHER_ADMINS = """
SELECT EXISTS (
    SELECT FROM health.users u JOIN health.user_roles r ON r.user_id = u.id
    WHERE u.organization_id = %s AND u.id <> %s AND u.active AND r.role = 'admin'
)
"""
SET_ACTIVE = "UPDATE health.users SET active = %s WHERE id = %s"
REMOVE_ROLE = "DELETE FROM health.user_roles WHERE user_id = %s AND role = %s"
