"""The SQL of users, of the families of their refresh tokens, and of codes that reset a password.

Who ends a person's access takes the person's row first, then the families: so does a login, which therefore comes
before or after it and never in between. A refresh takes its family alone.
"""

ROLES_OF = "ARRAY(SELECT role FROM health.user_roles WHERE user_id = u.id ORDER BY role)"
FIND_USER = "SELECT id, organization_id, password_hash FROM health.users WHERE username = %s AND active"
FIND_ROLES = "SELECT role FROM health.user_roles WHERE user_id = %s"
ADD_USER = "INSERT INTO health.users (id, organization_id, username, password_hash) VALUES (%s, %s, %s, %s)"
ADD_ROLE = "INSERT INTO health.user_roles (user_id, role) VALUES (%s, %s)"
FORGET_OLD_FAMILIES = "DELETE FROM health.refresh_families WHERE user_id = %s AND expires_at < now()"
# Nothing is added when the password was changed, or its owner deactivated, since it was compared.
ADD_FAMILY = """
WITH proven AS (
    SELECT id FROM health.users WHERE id = %(user)s AND password_hash = %(proven)s AND active FOR SHARE
)
INSERT INTO health.refresh_families (id, user_id, expires_at)
SELECT %(family)s::uuid, id, now() + make_interval(days => %(days)s::int) FROM proven RETURNING id
"""
ADD_TOKEN = "INSERT INTO health.refresh_tokens (digest, family_id) VALUES (%s, %s)"  # noqa: S105 - SQL
FIND_TOKEN = f"""
SELECT t.used_at IS NOT NULL, f.id, u.id, u.organization_id, {ROLES_OF}
FROM health.refresh_tokens t
JOIN health.refresh_families f ON f.id = t.family_id JOIN health.users u ON u.id = f.user_id
WHERE t.digest = %s AND f.revoked_at IS NULL AND f.expires_at > now() AND u.active
FOR UPDATE OF t, f
"""
USE_TOKEN = "UPDATE health.refresh_tokens SET used_at = now() WHERE digest = %s"  # noqa: S105 - SQL
REVOKE_FAMILY = "UPDATE health.refresh_families SET revoked_at = now() WHERE id = %s AND revoked_at IS NULL"
# Returns those revoked before as well: their sessions may go on, if Redis was away then.
REVOKE_FAMILIES_OF = """
WITH revoked AS (
    UPDATE health.refresh_families SET revoked_at = now() WHERE user_id = %(user)s AND revoked_at IS NULL
)
SELECT id FROM health.refresh_families WHERE user_id = %(user)s
"""
FIND_HASH = "SELECT username, password_hash FROM health.users WHERE id = %s AND active"
CHANGE_HASH = """
UPDATE health.users SET password_hash = %(new)s
WHERE id = %(user)s AND password_hash = %(proven)s AND active RETURNING id
"""
KEEP_CODE = """
INSERT INTO health.password_resets (user_id, digest, expires_at)
VALUES (%s, %s, now() + make_interval(mins => %s))
ON CONFLICT (user_id) DO UPDATE SET digest = excluded.digest, expires_at = excluded.expires_at
RETURNING expires_at
"""
FIND_CODE = """
SELECT u.id, u.organization_id, u.password_hash, coalesce(r.digest = %(digest)s AND r.expires_at > now(), false)
FROM health.users u LEFT JOIN health.password_resets r ON r.user_id = u.id
WHERE u.username = %(username)s AND u.active
"""
USE_CODE = """
DELETE FROM health.password_resets WHERE user_id = %s AND digest = %s AND expires_at > now() RETURNING user_id
"""
FORGET_CODE = "DELETE FROM health.password_resets WHERE user_id = %s"
