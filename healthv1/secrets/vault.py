"""Secrets in Vault or OpenBao: one KV v2 secret per name, written only by check-and-set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hvac
import requests
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, VaultDown, VaultError

from healthv1.errors import Fault, SecretsError
from healthv1.secrets.entry import Entry
from healthv1.secrets.kept import Kept
from healthv1.secrets.token import token

TIMEOUT = 5  # seconds
_NO_VAULT = (AttributeError, KeyError, TypeError, ValueError)  # what hvac makes of another program's answers


class Vault(Kept[int]):
    """The KV v2 secrets `mount`/`path`/NAME.

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
        super().__init__()
        self._address = address
        self._path = path
        self._mount = mount
        self._token_file = token_file
        self._ca_file = ca_file
        self._namespace = namespace

    def __str__(self) -> str:
        return f"vault:{self._mount}/{self._path}"

    def names(self) -> tuple[str, ...]:
        with self._explaining():
            try:
                found = self._client().secrets.kv.v2.list_secrets(self._path, mount_point=self._mount)
            except InvalidPath:
                return ()
            return tuple(sorted(found["data"]["keys"]))

    def _fetch(self, name: str) -> tuple[Entry | None, int]:
        with self._explaining(name):
            client = self._client()
            try:
                found = client.secrets.kv.v2.read_secret_version(
                    f"{self._path}/{name}", mount_point=self._mount, raise_on_deleted_version=True
                )["data"]
            except InvalidPath as error:
                self._refuse_lost(name, ((error.json or {}).get("data") or {}).get("metadata"))
                self._refuse_other_mounts(client, error)
                return None, 0
            return self._understood(name, found["data"]), int(found["metadata"]["version"])

    def _understood(self, name: str, document: dict[str, Any]) -> Entry:
        try:
            return Entry.from_document(document)
        except ValueError:
            what = "What the backend holds there is not what we keep."
            hint = f"bring back an older version: bao kv rollback -mount={self._mount} -version=N {self._path}/{name}"
            raise SecretsError(Fault(f"{self}#{name}", what, hint)) from None

    def _refuse_lost(self, name: str, metadata: Any) -> None:
        """New values in place of deleted ones would lock everybody out of what the old ones protect."""
        if not metadata:
            return
        version, lost = metadata["version"], "destroyed" if metadata["destroyed"] else "deleted"
        undelete = f"bring it back: bao kv undelete -mount={self._mount} -versions={version} {self._path}/{name}"
        hint = "write back the values from your escrow" if metadata["destroyed"] else undelete
        raise SecretsError(Fault(f"{self}#{name}", f"Its version {version} was {lost}.", hint))

    def _refuse_other_mounts(self, client: Any, error: InvalidPath) -> None:
        """Tell a secret that was never written from a mount that is not there, or not versioned."""
        if "no handler for route" in str(error):
            raise error
        mount = client.read(f"sys/internal/ui/mounts/{self._mount}")["data"]
        if (mount["type"], (mount["options"] or {}).get("version")) != ("kv", "2"):
            hint = "choose another mount, or enable versions: bao kv enable-versioning"
            raise SecretsError(Fault(self._place(), f"{self._mount} is not a KV store of version 2.", hint))

    def _put(self, name: str, entry: Entry, revision: int) -> bool:
        with self._explaining(name):
            try:
                self._client().secrets.kv.v2.create_or_update_secret(
                    f"{self._path}/{name}", entry.as_document(), cas=revision, mount_point=self._mount
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
    def _explaining(self, name: str = "") -> Iterator[None]:
        """Turn what hvac raises into a fault that names this backend or the reference, and never a value."""
        try:
            yield
        except SecretsError:
            raise
        except (VaultError, OSError, *_NO_VAULT) as error:
            what, hint = self._explanation(error, name)
            where = f"{self}#{name}" if name and isinstance(error, Forbidden) else self._place()
            raise SecretsError(Fault(where, what, hint)) from None

    def _explanation(self, error: Exception, name: str) -> tuple[str, str]:
        match error:
            case VaultDown() if "sealed" in str(error).lower():
                return "It is sealed.", "unseal it: bao operator unseal"
            case Forbidden():
                rights = f"let its policy read and write {self._mount}/data/{self._path}/{name}"
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
