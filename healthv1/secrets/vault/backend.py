"""Secrets in Vault or OpenBao: one KV v2 secret per name, written only by check-and-set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import hvac
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest

from healthv1 import hints
from healthv1.errors import Fault, SecretsError
from healthv1.secrets.backend import Backend
from healthv1.secrets.entry import Entry
from healthv1.secrets.vault import policies
from healthv1.secrets.vault.auth import TIMEOUT, Auth, Token, session
from healthv1.secrets.vault.explanation import RAISED, VaultPlace, explain


class Vault(Backend[int]):
    """The KV v2 secrets `mount`/`path`/NAME. One client and its connections serve the whole run."""

    def __init__(
        self,
        address: str,
        path: str,
        mount: str = "health-v1",
        auth: Auth | None = None,
        ca_file: str | Path | None = None,
        namespace: str | None = None,
    ) -> None:
        super().__init__()
        self._place = VaultPlace(address, namespace or "", mount.strip("/"), path.strip("/"))
        self._auth = auth or Token()
        self._ca_file = ca_file
        self._client_lock = Lock()  # those who read side by side log in once
        self._opened_client: Any = None

    def __str__(self) -> str:
        return str(self._place)

    @property
    def place(self) -> VaultPlace:
        return self._place

    def client(self) -> Any:
        """Return hvac's client, logged in, for other engines than ours. Raises `SecretsError`."""
        self._connect()
        return self._client()

    def client_without_login(self) -> Any:
        """Return hvac's client without a login, for what anybody may ask. Raises `SecretsError`."""
        client = hvac.Client(
            self._place.address,
            timeout=TIMEOUT,
            namespace=self._place.namespace or None,
            session=session(self._ca_file, str(self)),
            allow_redirects=False,  # a token goes to nobody but `address`
        )
        client.token = None  # hvac looks for one by itself
        return client

    def policy(self, name: str) -> str:
        """Return the policy `deploy`, `rotate` or `read` for a token of this backend. Raises `SecretsError`."""
        return policies.text(name, self._place.mount, self._place.path)

    def names(self) -> tuple[str, ...]:
        with self._explaining("list"):
            try:
                response = self._kv().list_secrets(self._place.path, mount_point=self._place.mount)
            except InvalidPath as error:
                self._refuse_other_mounts(error)
                return ()
            # A name that ends in a slash is a folder, which is none of ours.
            return tuple(sorted(name for name in response["data"]["keys"] if not name.endswith("/")))

    def _connect(self) -> None:
        with self._explaining("log in"):
            self._client()

    def _fetch(self, name: str) -> tuple[Entry | None, int]:
        with self._explaining("read", name):
            try:
                response = self._kv().read_secret_version(
                    self._path(name), mount_point=self._place.mount, raise_on_deleted_version=True
                )["data"]
            except InvalidPath as error:
                self._refuse_lost(name, ((error.json or {}).get("data") or {}).get("metadata"))
                self._refuse_other_mounts(error)
                return None, 0
            return self._understood(name, response["data"]), int(response["metadata"]["version"])

    def _understood(self, name: str, document: dict[str, Any]) -> Entry:
        try:
            return Entry.from_document(document)
        except ValueError:
            what = "What the backend holds there is not what we keep."
            hint = f"bring back an older version: bao kv rollback -mount={self._place.mount} -version=N"
            raise SecretsError(Fault(f"{self}#{name}", what, f"{hint} {self._path(name)}")) from None

    def _refuse_lost(self, name: str, metadata: Any) -> None:
        """New values in place of deleted ones would lock everybody out of what the old ones protect."""
        if not metadata:
            return
        version, lost = metadata["version"], "destroyed" if metadata["destroyed"] else "deleted"
        undelete = f"bao kv undelete -mount={self._place.mount} -versions={version} {self._path(name)}"
        hint = "write back the values from your escrow" if metadata["destroyed"] else f"bring it back: {undelete}"
        raise SecretsError(Fault(f"{self}#{name}", f"Its version {version} was {lost}.", hint))

    def _refuse_other_mounts(self, error: InvalidPath) -> None:
        """Tell a secret that was never written from a mount that is not there, or not versioned."""
        if error.errors:  # a secret that is not there is a 404 without a reason
            raise error
        mount = self._client().read(f"sys/internal/ui/mounts/{self._place.mount}")["data"]
        if (mount["type"], (mount["options"] or {}).get("version")) != ("kv", "2"):
            hint = "choose another mount, or enable versions: bao kv enable-versioning"
            raise SecretsError(
                Fault(self._place.described, f"{self._place.mount} is not a KV store of version 2.", hint)
            )

    def _put(self, name: str, entry: Entry, revision: int) -> bool:
        with self._explaining("update" if revision else "create", name):
            try:
                self._kv().create_or_update_secret(
                    self._path(name), entry.as_document(), cas=revision, mount_point=self._place.mount
                )
            except InvalidRequest as error:
                if "check-and-set" not in str(error):
                    raise
                return False
            except Forbidden:
                if revision or not self._exists(name):
                    raise
                return False  # somebody else created it, and our policy lets us create alone
        return True

    def _exists(self, name: str) -> bool:
        return self._fetch(name)[0] is not None

    def _path(self, name: str) -> str:
        return f"{self._place.path}/{name}"

    def _kv(self) -> Any:
        return self._client().secrets.kv.v2

    def _client(self) -> Any:
        with self._client_lock:
            if self._opened_client is None:
                self._opened_client = self._logged_in()
            return self._opened_client

    def _logged_in(self) -> Any:
        place = self._place
        client = self.client_without_login()
        try:
            self._auth.login(client, str(self))
        except RAISED as error:
            raise explain(error, place, "log in", auth=self._auth) from None
        return client

    @contextmanager
    def _explaining(self, verb: str, name: str = "") -> Iterator[None]:
        """Turn what hvac raises into a fault that names this backend or the reference, and never a value."""
        try:
            yield
        except RAISED as error:
            explanation = explain(error, self._place, verb, name, alive=self._token_is_alive)
            raise SecretsError(
                *(hints.with_environment(fault, self.environment) for fault in explanation.faults)
            ) from None

    def _token_is_alive(self) -> bool:
        """Tell a token that expired or was revoked from one that lacks a permission."""
        questions = ("auth/token/lookup-self", f"sys/internal/ui/mounts/{self._place.mount}")
        return any(self._answers(question) for question in questions)

    def _answers(self, question: str) -> bool:
        try:
            return bool(self._client().read(question))
        except RAISED:
            return False
