"""Secrets in Vault or OpenBao: one KV v2 secret per environment, written only by check-and-set."""

from __future__ import annotations

import base64
import os
import secrets as randomness
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hvac
import requests
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, VaultDown, VaultError

from deploys.secret import Secret
from healthv1.errors import Fault, SecretsError
from healthv1.redaction import redactor

TIMEOUT = 5  # seconds
TRIES = 5  # of check-and-set, against others that write at the same time


class Vault:
    """A secrets backend, read at most once per run.

    The token comes from `token_file`, else from VAULT_TOKEN, else from ~/.vault-token.
    """

    def __init__(
        self,
        address: str,
        path: str,
        mount: str = "secret",
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
        self._held: dict[str, str] | None = None
        self._version = 0
        self._pending: dict[str, str] = {}

    def __str__(self) -> str:
        return f"vault:{self._mount}/{self._path}"

    def __repr__(self) -> str:
        return f"Vault({self})"

    def reveal(self, secret: Secret) -> str:
        held = self._read()
        if secret.key not in held and not secret.entropy:
            what = "It is not in the backend, and only a person can supply it."
            raise SecretsError(Fault(str(secret), what, f"run: bao kv patch {self._mount}/{self._path} {secret.key}=-"))
        value = held.get(secret.key) or self._pending_value(secret)
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
                return
            self._held = None
        raise SecretsError(Fault(str(self), f"Others kept writing to it, {TRIES} times in a row.", "try again"))

    def _pending_value(self, secret: Secret) -> str:
        """Generate in memory what is to be stored, so that a plan can be made before it is."""
        if secret.key not in self._pending:
            value = base64.b64encode(randomness.token_bytes(secret.entropy)).decode()
            self._pending[secret.key] = value
            redactor.add(value)
        return self._pending[secret.key]

    def _read(self) -> dict[str, str]:
        if self._held is None:
            with self._explaining():
                self._held, self._version = self._current()
        return self._held

    def _current(self) -> tuple[dict[str, str], int]:
        kv = self._client().secrets.kv.v2
        try:
            data = kv.read_secret_version(self._path, mount_point=self._mount, raise_on_deleted_version=True)["data"]
        except InvalidPath as error:
            # Never written: version 0. Deleted: the answer still carries the version that check-and-set needs.
            metadata = ((error.json or {}).get("data") or {}).get("metadata") or {}
            return {}, int(metadata.get("version", 0))
        return dict(data["data"] or {}), int(data["metadata"]["version"])

    def _written(self, values: dict[str, str]) -> bool:
        """Add `values` unless somebody wrote since we read."""
        merged = {**self._read(), **values}
        with self._explaining():
            kv = self._client().secrets.kv.v2
            try:
                kv.create_or_update_secret(self._path, merged, cas=self._version, mount_point=self._mount)
            except InvalidRequest as error:
                if "check-and-set" not in str(error):
                    raise
                return False
        self._held = None
        return self._read() is not None

    def _client(self) -> Any:
        session = requests.Session()
        session.trust_env = False  # a proxy is no place for secrets
        verify = str(self._ca_file) if self._ca_file else True
        return hvac.Client(
            self._address, self._token(), verify=verify, timeout=TIMEOUT, namespace=self._namespace, session=session
        )

    def _token(self) -> str:
        path = Path(self._token_file) if self._token_file else Path.home() / ".vault-token"
        if not self._token_file and "VAULT_TOKEN" in os.environ:
            token = os.environ["VAULT_TOKEN"]
        elif path.is_file():
            token = path.read_text(encoding="utf-8").strip()
        else:
            raise SecretsError(Fault(str(self), "There is no token.", "log in: bao login, or set VAULT_TOKEN"))
        redactor.add(token)
        return token

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Turn what hvac raises into a fault that names this backend, and never a value."""
        try:
            yield
        except VaultDown as error:
            what = "It is sealed." if "sealed" in str(error).lower() else "It is not able to answer."
            raise SecretsError(Fault(self._place(), what, "unseal it: bao operator unseal")) from None
        except Forbidden:
            hint = f"renew the token, or let its policy read and write {self._mount}/data/{self._path}"
            raise SecretsError(Fault(self._place(), "Permission was denied.", hint)) from None
        except InvalidPath:
            hint = f"enable it: bao secrets enable -path={self._mount} kv-v2"
            raise SecretsError(Fault(self._place(), f"There is no mount {self._mount}.", hint)) from None
        except VaultError as error:
            raise SecretsError(Fault(self._place(), f"{type(error).__name__}.", "read its log")) from None
        except requests.RequestException as error:
            what = f"It cannot be reached ({type(error).__name__})."
            raise SecretsError(Fault(self._place(), what, "check the address, and that it runs")) from None

    def _place(self) -> str:
        return f"{self} at {self._address}"
