"""The SQL of users and of the families of their refresh tokens."""

ROLES_OF = "ARRAY(SELECT role FROM health.user_roles WHERE user_id = u.id ORDER BY role)"
FIND_USER = (
    f"SELECT u.id, u.organization_id, u.password_hash, {ROLES_OF} FROM health.users u WHERE username = %s AND active"
)
ADD_USER = "INSERT INTO health.users (id, organization_id, username, password_hash) VALUES (%s, %s, %s, %s)"
ADD_ROLE = "INSERT INTO health.user_roles (user_id, role) VALUES (%s, %s)"
FORGET_OLD_FAMILIES = "DELETE FROM health.refresh_families WHERE user_id = %s AND expires_at < now()"
ADD_FAMILY = (
    "INSERT INTO health.refresh_families (id, user_id, expires_at) VALUES (%s, %s, now() + make_interval(days => %s))"
)
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
REVOKE_FAMILIES_OF = (
    "UPDATE health.refresh_families SET revoked_at = now() WHERE user_id = %s AND revoked_at IS NULL RETURNING id"
)
FIND_HASH = "SELECT password_hash FROM health.users WHERE id = %s AND active"
CHANGE_HASH = "UPDATE health.users SET password_hash = %s WHERE id = %s"
