"""The SQL that reads the audit trail, and tells it so."""

from healthv1_api.audit.trail import telling_even_of_nothing

READ_EVENTS = f"""
WITH found AS (
    SELECT id, at, actor_id, action, subject_id, request_id, address FROM health.audit_events
    WHERE organization_id = %(organization)s::uuid AND (%(before)s::bigint IS NULL OR id < %(before)s::bigint)
      AND (%(about)s::uuid IS NULL OR subject_id = %(about)s::uuid)
    ORDER BY id DESC LIMIT %(limit)s::int
), told AS ({telling_even_of_nothing("(SELECT FROM found LIMIT 1) AS any_found", "%(about)s::uuid")})
SELECT * FROM found ORDER BY id DESC
"""
