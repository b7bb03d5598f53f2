"""A secrets engine of Vault or OpenBao other than KV: it signs SSH keys, or makes database logins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hvac.exceptions import Forbidden, InternalServerError, InvalidPath, InvalidRequest

from healthv1.errors import Fault, SecretsError
from healthv1.secrets.vault.backend import Vault
from healthv1.secrets.vault.explanation import RAISED, reason, state


class Engine:
    """The engine of `kind` at `mount`, asked with the login of `by`."""

    def __init__(self, by: Vault, mount: str, kind: str) -> None:
        self._by = by
        self._mount = mount.strip("/")
        self._kind = kind

    def __str__(self) -> str:
        return f"vault:{self._mount}"

    def public_key(self) -> str:
        """Return the key that an SSH engine signs with, which it tells anybody. Raises `SecretsError`."""
        with self._explaining("read", "public_key"):
            answer = self._by.client_without_login().adapter.get(f"/v1/{self._mount}/public_key")
            return str(answer.text).strip()

    def read(self, path: str) -> Any:
        with self._explaining("read", path):
            return self._by.client().adapter.get(f"/v1/{self._mount}/{path}")

    def write(self, path: str, **data: Any) -> Any:
        with self._explaining("update", path):
            return self._by.client().adapter.post(f"/v1/{self._mount}/{path}", json=data)

    def revoke(self, lease: str) -> None:
        """End a lease now, and what was made for it. Raises `SecretsError`."""
        with self._explaining("revoke", lease):
            # By its path, so that a policy can name the leases of one role alone.
            self._by.client().adapter.put(f"/v1/sys/leases/revoke/{lease}", json={"sync": True})

    @contextmanager
    def _explaining(self, verb: str, path: str) -> Iterator[None]:
        try:
            yield
        except RAISED as error:
            where = f"{self}/{path} at {self._by.place.address}"
            raise SecretsError(Fault(where, *self._explanation(error, verb, path))) from None

    def _explanation(self, error: Exception, verb: str, path: str) -> tuple[str, str]:
        enable = f"enable it: bao secrets enable -path={self._mount} {self._kind}"
        match error:
            case Forbidden() if path == "public_key":  # who is not logged in is not told more
                return f"There is no {self._kind} engine at {self._mount}.", enable
            case Forbidden():
                right = f"`update` on sys/leases/revoke/{path}" if verb == "revoke" else self._right(verb, path)
                return f"Permission was denied: {right}.", f"log in anew, or let the token's policy have {right}"
            case InvalidPath() if "no handler" in str(error):
                return f"There is no {self._kind} engine at {self._mount}.", enable
            case InvalidPath() | InvalidRequest() if "role" in str(error) and "unknown" in str(error).lower():
                role = path.rpartition("/")[2]
                return f"It has no role {role}.", "write the role, or correct its name in group_data"
            case InvalidPath() | InvalidRequest() | InternalServerError():
                return f"It refused: {reason(error)}.", f"read its settings: bao read {self._mount}/{path}"
            case _:
                return state(error, self._by.place)

    def _right(self, verb: str, path: str) -> str:
        return f"`{verb}` on {self._mount}/{path}"
