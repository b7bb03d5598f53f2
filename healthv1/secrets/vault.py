"""Secrets in Vault or OpenBao: one KV v2 secret per environment, written only by check-and-set."""

from __future__ import annotations

import base64
import secrets as randomness
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

import hvac
import requests
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, VaultDown, VaultError

from deploys.secret import Secret
from healthv1.errors import Fault, SecretsError
from healthv1.redaction import redactor
from healthv1.secrets.token import token

TIMEOUT = 5  # seconds
_NO_VAULT = (AttributeError, KeyError, TypeError, ValueError)  # what hvac makes of another program's answers
TRIES = 5  # of check-and-set, against others that write at the same time


class Vault:
    """A secrets backend, read at most once per run.

    The token comes from `token_file`, else from VAULT_TOKEN, else from ~/.vault-token.
    """

    def __init__(
        self,
        address: str,
        path: str,
        mount: str = "health-v1",
        token_file: str | Path | None = None,
        ca_file: str | Path | None = None,
        namespace: str | None = None,
    ) -> None:
        self._address = address
        self._path = path
        self._mount = mount
        self._token_file = token_file
        self._ca_file = ca_file
        self._namespace = namespace
        self._reading = RLock()  # several hosts ask at once
        self._held: dict[str, Any] | None = None
        self._version = 0
        self._pending: dict[str, str] = {}

    def __copy__(self) -> Vault:
        """Stay one: pyinfra copies group_data whenever it is read, and what was read and generated must be shared."""
        return self

    def __str__(self) -> str:
        return f"vault:{self._mount}/{self._path}"

    def __repr__(self) -> str:
        return f"Vault({self})"

    def reveal(self, secret: Secret) -> str:
        held = self._read()
        value = held[secret.key] if secret.key in held else self._pending_value(secret)
        if not isinstance(value, str) or not value:
            raise SecretsError(Fault(str(secret), "What the backend holds there is not text.", self._supply(secret)))
        redactor.add(value)
        return value

    def missing(self, secrets: tuple[Secret, ...]) -> tuple[Secret, ...]:
        held = self._read()
        return tuple(secret for secret in secrets if secret.entropy and secret.key not in held)

    def store(self, secrets: tuple[Secret, ...]) -> None:
        """Keep what is missing. Of two that store at once, one wins and both go on with its values."""
        for _ in range(TRIES):
            lacking = self.missing(secrets)
            if not lacking or self._written({secret.key: self._pending_value(secret) for secret in lacking}):
                for secret in secrets:
                    self._pending.pop(secret.key, None)
                return
        raise SecretsError(Fault(str(self), f"Others kept writing to it, {TRIES} times in a row.", "try again"))

    def _pending_value(self, secret: Secret) -> str:
        """Generate in memory what is to be stored, so that a plan can be made before it is."""
        if not secret.entropy:
            what = "It is not in the backend, and only a person can supply it."
            raise SecretsError(Fault(str(secret), what, self._supply(secret)))
        if secret.key not in self._pending:
            value = base64.b64encode(randomness.token_bytes(secret.entropy)).decode()
            self._pending[secret.key] = value
            redactor.add(value)
        return self._pending[secret.key]

    def _supply(self, secret: Secret) -> str:
        # `put` would drop the other keys; `patch` refuses where there is none yet.
        verb = "patch" if self._version else "put"
        return f"supply it on stdin: bao kv {verb} -mount={self._mount} {self._path} {secret.key}=-"

    def _read(self) -> dict[str, Any]:
        with self._reading:
            if self._held is None:
                with self._explaining():
                    self._held, self._version = self._current()
            return self._held

    def _current(self) -> tuple[dict[str, Any], int]:
        client = self._client()
        try:
            found = client.secrets.kv.v2.read_secret_version(
                self._path, mount_point=self._mount, raise_on_deleted_version=True
            )["data"]
        except InvalidPath as error:
            self._refuse_lost(((error.json or {}).get("data") or {}).get("metadata"))
            self._refuse_other_mounts(client, error)
            return {}, 0
        return dict(found["data"]), int(found["metadata"]["version"])

    def _refuse_lost(self, metadata: Any) -> None:
        """New values in place of deleted ones would lock everybody out of what the old ones protect."""
        if not metadata:
            return
        version, lost = metadata["version"], "destroyed" if metadata["destroyed"] else "deleted"
        undelete = f"bring it back: bao kv undelete -mount={self._mount} -versions={version} {self._path}"
        hint = "write back the values from your escrow" if metadata["destroyed"] else undelete
        raise SecretsError(Fault(str(self), f"Its version {version} was {lost}.", hint))

    def _refuse_other_mounts(self, client: Any, error: InvalidPath) -> None:
        """Tell a secret that was never written from a mount that is not there, or not versioned."""
        if "no handler for route" in str(error):
            raise error
        mount = client.read(f"sys/internal/ui/mounts/{self._mount}")["data"]
        if (mount["type"], (mount["options"] or {}).get("version")) != ("kv", "2"):
            hint = "choose another mount, or enable versions: bao kv enable-versioning"
            raise SecretsError(Fault(self._place(), f"{self._mount} is not a KV store of version 2.", hint))

    def _written(self, values: dict[str, str]) -> bool:
        """Add `values` unless somebody wrote since we read."""
        merged = {**self._read(), **values}
        with self._reading, self._explaining():
            self._held = None
            try:
                self._client().secrets.kv.v2.create_or_update_secret(
                    self._path, merged, cas=self._version, mount_point=self._mount
                )
            except InvalidRequest as error:
                if "check-and-set" not in str(error):
                    raise
                return False
        return True

    def _client(self) -> Any:
        session = requests.Session()
        session.trust_env = False  # a proxy is no place for secrets
        verify = str(self._ca_file) if self._ca_file else True
        opener = token(self._token_file, str(self))
        return hvac.Client(
            self._address, opener, verify=verify, timeout=TIMEOUT, namespace=self._namespace, session=session
        )

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Turn what hvac raises into a fault that names this backend, and never a value."""
        try:
            yield
        except SecretsError:
            raise
        except (VaultError, OSError, *_NO_VAULT) as error:
            what, hint = self._explanation(error)
            raise SecretsError(Fault(self._place(), what, hint)) from None

    def _explanation(self, error: Exception) -> tuple[str, str]:
        match error:
            case VaultDown() if "sealed" in str(error).lower():
                return "It is sealed.", "unseal it: bao operator unseal"
            case Forbidden():
                rights = f"let its policy read and write {self._mount}/data/{self._path}"
                return "Permission was denied.", f"renew the token, check that the mount is right, or {rights}"
            case InvalidPath():
                return f"There is no mount {self._mount}.", f"enable it: bao secrets enable -path={self._mount} kv-v2"
            case VaultError():
                return f"It cannot answer ({type(error).__name__}).", "read its log"
            case requests.RequestException() | OSError():
                return f"It cannot be reached ({type(error).__name__}).", "check the address, and that it runs"
            case _:
                return f"What answers there is no Vault ({type(error).__name__}).", "check the address"

    def _place(self) -> str:
        return f"{self} at {self._address}"
