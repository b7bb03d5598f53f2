"""Explains exceptions of hvac and requests to users: which reference, which backend, which state, what to do next.

No explanation quotes what was sent or received: a value could be in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from hvac.exceptions import Forbidden, InternalServerError, InvalidPath, InvalidRequest, VaultDown, VaultError

from healthv1.errors import Fault, SecretsError
from healthv1.secrets.vault.auth import Auth

_NO_VAULT = (AttributeError, KeyError, TypeError, ValueError)  # what hvac makes of another program's answers
RAISED = (VaultError, OSError, *_NO_VAULT)


@dataclass(frozen=True)
class VaultPlace:
    """Where the secrets of one environment lie."""

    address: str
    namespace: str
    mount: str
    path: str

    def __str__(self) -> str:
        return f"vault:{self.namespace + '/' if self.namespace else ''}{self.mount}/{self.path}"

    @property
    def described(self) -> str:
        return f"{self} at {self.address}"

    def right(self, verb: str, name: str) -> str:
        """Say what a policy must grant: `update` on `health-v1/data/production/jwt_secret`."""
        kind, end = ("metadata", "") if verb == "list" else ("data", name)
        return f"`{verb}` on {self.mount}/{kind}/{self.path}/{end}"


def explain(
    error: Exception,
    place: VaultPlace,
    verb: str,
    name: str = "",
    auth: Auth | None = None,
    alive: Callable[[], bool] = lambda: False,
) -> SecretsError:
    """Say what `error` means for whoever did `verb`; `auth` is the way to log in that met it."""
    if auth and isinstance(error, (InvalidRequest, Forbidden)):
        return SecretsError(Fault(place.described, *auth.explain(reason(error))))
    if isinstance(error, Forbidden):
        return _forbidden(place, verb, name, alive())
    return SecretsError(Fault(place.described, *state(error, place)))


def _forbidden(place: VaultPlace, verb: str, name: str, alive: bool) -> SecretsError:
    right = place.right(verb, name)
    if alive:
        where = f"{place}#{name}" if name else place.described
        return SecretsError(Fault(where, f"Permission was denied: {right}.", f"let the token's policy have {right}"))
    what = "Permission was denied: the token has expired, was revoked, or may do nothing here."
    return SecretsError(
        Fault(
            place.described, what, "log in anew; its policy must allow what `healthv1 secrets policy ENV deploy` prints"
        )
    )


def state(error: Exception, place: VaultPlace) -> tuple[str, str]:
    """Say in which state Vault is, and what to do."""
    match error:
        case VaultError():
            return _answer(error, place)
        case requests.TooManyRedirects():
            return _elsewhere(str(error))
        case requests.exceptions.SSLError():
            return "Its TLS certificate is not trusted.", "set ca_file to the authority that signed it"
        case requests.exceptions.MissingSchema() | requests.exceptions.InvalidSchema():
            return "Its address does not say how to get there.", "begin it with https://"
        case requests.RequestException() | OSError():
            return f"It cannot be reached ({type(error).__name__}).", "check the address, and that it runs"
        case _:
            return f"What answers there is no Vault ({type(error).__name__}).", "check the address"


def _answer(error: VaultError, place: VaultPlace) -> tuple[str, str]:
    match error:
        case VaultDown() if "sealed" in str(error).lower():
            return "It is sealed.", "unseal it: bao operator unseal"
        case InternalServerError() if "active" in str(error):
            return "It is a standby, and no node is active.", "check the other nodes: bao operator raft list-peers"
        case InvalidPath() if "namespace" in str(error):
            return f"There is no namespace {place.namespace}.", "check the namespace"
        case InvalidPath():
            return f"There is no mount {place.mount}.", f"enable it: bao secrets enable -path={place.mount} kv-v2"
        case _:
            return f"It cannot answer ({type(error).__name__}).", "read its log"


def _elsewhere(location: str) -> tuple[str, str]:
    to = urlsplit(location)
    there = f"{to.scheme}://{to.netloc}" if to.netloc else "another page"
    return f"It is a standby, and refers us to {there}.", "check that the active node runs, or set its address"


def reason(error: VaultError) -> str:
    """Return what Vault itself gave as the reason."""
    return "; ".join(reason.strip() for reason in error.errors or ()) or type(error).__name__
