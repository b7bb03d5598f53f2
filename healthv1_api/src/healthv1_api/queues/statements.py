"""The SQL of the work queues; a claim lapses when its worker has gone, and another takes the work."""

from enum import Enum

from healthv1_api.audit.trail import telling_of


class Queue(str, Enum):
    LAB_ORDERS = "lab_orders"
    IMAGING_ORDERS = "imaging_orders"
    WORKLIST = "worklist"


LAPSES = "interval '15 minutes'"
IS_FREE = "(claimed_until IS NULL OR claimed_until < now())"
COLUMNS = "id, patient_id, key_id, details, created_at, claimed_until"


def _add(queue: str) -> str:
    return f"""
WITH done AS (
    INSERT INTO health.{queue} (id, organization_id, patient_id, key_id, details)
    SELECT %(id)s::uuid, organization_id, id, %(key_id)s::int, %(details)s::bytea
    FROM health.patients WHERE organization_id = %(organization)s::uuid AND id = %(subject)s::uuid
    RETURNING {COLUMNS}
), told AS ({telling_of("done", "done.patient_id")})
SELECT created_at FROM done
"""


def _claim(queue: str) -> str:
    return f"""
WITH next AS (
    SELECT id AS next_id FROM health.{queue}
    WHERE organization_id = %(organization)s::uuid AND completed_at IS NULL AND {IS_FREE}
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
), done AS (
    UPDATE health.{queue} SET claimed_by = %(actor)s::uuid, claimed_until = now() + {LAPSES}
    FROM next WHERE id = next_id RETURNING {COLUMNS}
), told AS ({telling_of("done", "done.patient_id")})
SELECT * FROM done
"""


def _complete(queue: str) -> str:
    return f"""
WITH done AS (
    UPDATE health.{queue} SET completed_at = now()
    WHERE organization_id = %(organization)s::uuid AND id = %(id)s::uuid
      AND claimed_by = %(actor)s::uuid AND completed_at IS NULL
    RETURNING patient_id
), told AS ({telling_of("done", "done.patient_id")})
SELECT * FROM done
"""


ADD = {queue: _add(queue.value) for queue in Queue}
CLAIM = {queue: _claim(queue.value) for queue in Queue}
COMPLETE = {queue: _complete(queue.value) for queue in Queue}
DEPTHS = " UNION ALL ".join(
    f"SELECT '{queue.value}', count(*) FILTER (WHERE {IS_FREE}), count(*) FILTER (WHERE NOT {IS_FREE}) "
    f"FROM health.{queue.value} WHERE completed_at IS NULL"
    for queue in Queue
)
