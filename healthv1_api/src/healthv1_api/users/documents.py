"""What an admin sends and receives about people."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from healthv1_api.auth.policy import NewSecret
from healthv1_api.documents import Document, Username

Role = Literal["admin", "clinician", "auditor"]
Roles = Annotated[set[Role], Field(min_length=1)]


class NewUser(Document):
    username: Username
    password: NewSecret
    roles: Roles


class UserChange(Document):
    """What is absent or null stays as it is."""

    active: bool | None = None
    roles: Roles | None = None


class User(Document):
    id: UUID
    username: str
    roles: list[str]
    active: bool


class UserPage(Document):
    users: list[User]
    after: UUID | None
    """Ask again with this to read on; null at the end."""


class ResetCode(Document):
    code: str
    """Shown once, and good once: with the username and a new password at `/v1/auth/password-reset`."""
    expires_at: datetime
