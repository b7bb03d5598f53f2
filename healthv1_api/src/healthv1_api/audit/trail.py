"""The words of the audit trail, and its SQL: what puts them beside the deed in one statement, and what reads them."""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from ipaddress import ip_address
from uuid import UUID

from starlette.types import Scope

from healthv1_api.headers import header
from healthv1_api.observe.logs import request_id


class Action(str, Enum):
    LOGIN = "login"
    LOGIN_REFUSED = "login.refused"
    REFRESH_REUSED = "refresh.reused"
    LOGOUT = "logout"
    PASSWORD_CHANGE = "password.change"  # noqa: S105 - a word of the trail
    PASSWORD_REFUSED = "password.refused"  # noqa: S105
    RESET_START = "password.reset.start"
    RESET = "password.reset"
    RESET_REFUSED = "password.reset.refused"
    USER_CREATE = "user.create"
    USER_LIST = "user.list"
    USER_DEACTIVATE = "user.deactivate"
    USER_REACTIVATE = "user.reactivate"
    ROLE_ADD_ADMIN = "role.add.admin"
    ROLE_ADD_CLINICIAN = "role.add.clinician"
    ROLE_ADD_AUDITOR = "role.add.auditor"
    ROLE_REMOVE_ADMIN = "role.remove.admin"
    ROLE_REMOVE_CLINICIAN = "role.remove.clinician"
    ROLE_REMOVE_AUDITOR = "role.remove.auditor"
    PATIENT_CREATE = "patient.create"
    PATIENT_READ = "patient.read"
    PATIENT_LIST = "patient.list"
    PATIENT_SEARCH = "patient.search"
    PATIENT_UPDATE = "patient.update"
    ORDER_CREATE = "order.create"
    ORDER_CLAIM = "order.claim"
    ORDER_COMPLETE = "order.complete"
    AUDIT_READ = "audit.read"


COLUMNS = "organization_id, actor_id, action, subject_id, request_id, address"
EVENT = "%(organization)s::uuid, %(actor)s::uuid, %(action)s::text, {subject}, %(request)s::text, %(address)s::inet"
TELL = f"INSERT INTO health.audit_events ({COLUMNS}) VALUES ({EVENT.format(subject='%(subject)s::uuid')})"
Event = dict[str, object]


def telling_of(deed: str, subject: str) -> str:
    """SQL for a CTE: one event per row of the CTE `deed`."""
    return f"INSERT INTO health.audit_events ({COLUMNS}) SELECT {EVENT.format(subject=subject)} FROM {deed}"


def telling_even_of_nothing(deed: str, subject: str) -> str:
    """The same, and one event without a subject when nothing was found: the question was asked."""
    return telling_of(f"(SELECT) AS asked LEFT JOIN {deed} ON true", subject)


READ_EVENTS = f"""
WITH found AS (
    SELECT id, at, actor_id, action, subject_id, request_id, address FROM health.audit_events
    WHERE organization_id = %(organization)s::uuid AND (%(before)s::bigint IS NULL OR id < %(before)s::bigint)
      AND (%(about)s::uuid IS NULL OR subject_id = %(about)s::uuid)
    ORDER BY id DESC LIMIT %(limit)s::int
), told AS ({telling_even_of_nothing("(SELECT FROM found LIMIT 1) AS any_found", "%(about)s::uuid")})
SELECT * FROM found ORDER BY id DESC
"""


@dataclass(frozen=True)
class Actor:
    """Who asks, in which organization; both are unknown before a login."""

    address: str | None
    organization: UUID | None = None
    user: UUID | None = None

    def event(self, action: Action, subject: UUID | None = None) -> Event:
        return {
            "organization": self.organization,
            "actor": self.user,
            "action": action.value,
            "subject": subject,
            "request": request_id.get(),
            "address": self.address,
        }


def address_of(scope: Scope) -> str | None:
    """Nginx writes X-Real-IP anew; nobody else reaches this port (the firewall, or loopback)."""
    peer = scope.get("client") or (None,)
    return _an_address(header(scope, b"x-real-ip")) or _an_address(peer[0])


@lru_cache
def _an_address(text: str | None) -> str | None:
    try:
        return str(ip_address(text or ""))
    except ValueError:
        return None
