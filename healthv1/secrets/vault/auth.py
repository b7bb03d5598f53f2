"""How Vault or OpenBao is spoken to and logged in to: each way is a value that an inventory's backend is given.

A way says what is read from files and the environment; nothing is read before the backend is needed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import requests
from requests.adapters import HTTPAdapter

from healthv1.errors import Fault, SecretsError
from healthv1.output.redaction import redactor
from healthv1.secrets.backend import PARALLEL_READS

TIMEOUT = 5  # seconds
LOGIN = ".vault-token"  # where `bao login` and `vault login` leave it, in the home folder
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # where a pod finds its own


class Auth(Protocol):
    """One way to log in."""

    def login(self, client: Any, backend: str) -> None:
        """Have `client` hold a token. Raises `SecretsError`, and what hvac raises."""

    def explain(self, why: str) -> tuple[str, str]:
        """Say what is wrong, and what to do, when a login is refused."""


@dataclass(frozen=True)
class Token:
    """A token that somebody else got: from `file`, else from VAULT_TOKEN, else from ~/.vault-token."""

    file: str | Path | None = None

    def login(self, client: Any, backend: str) -> None:
        if self.file:
            token, hint = _read(self.file, "token", backend, missing=""), f"put a token into {self.file}"
        else:
            token = os.environ.get("VAULT_TOKEN", "").strip()
            token = token or _read(Path.home() / LOGIN, "token", backend, missing="")
            hint = "log in: bao login, or set VAULT_TOKEN"
        if not token:
            raise SecretsError(Fault(backend, "There is no token.", hint))
        client.token = _redacted(token)

    def explain(self, why: str) -> tuple[str, str]:
        return f"The token was refused ({why}).", "get another token"


@dataclass(frozen=True)
class AppRole:
    """A role for a machine, such as CI: its id is no secret, `secret_id_file` holds the other half."""

    role_id: str
    secret_id_file: str | Path
    mount: str = "approle"

    def login(self, client: Any, backend: str) -> None:
        secret_id = _read(self.secret_id_file, "secret id", backend)
        _redacted(client.auth.approle.login(self.role_id, secret_id, mount_point=self.mount)["auth"]["client_token"])

    def explain(self, why: str) -> tuple[str, str]:
        what = f"The AppRole login at auth/{self.mount} was refused ({why})."
        return what, f"check mount and role_id, and get a new secret id into {self.secret_id_file}"


@dataclass(frozen=True)
class Jwt:
    """A signed identity that the place where we run hands out, such as a CI's OpenID token."""

    role: str
    token_file: str | Path
    mount: str = "jwt"

    def login(self, client: Any, backend: str) -> None:
        signed = _read(self.token_file, "JWT", backend)
        answer = client.auth.jwt.jwt_login(self.role, signed, path=self.mount)
        _redacted(answer["auth"]["client_token"])

    def explain(self, why: str) -> tuple[str, str]:
        what = f"The login at auth/{self.mount} as {self.role} was refused ({why})."
        return what, f"check mount and role, and that {self.token_file} is fresh and meant for it"


@dataclass(frozen=True)
class Kubernetes(Jwt):
    """A pod's own service account."""

    token_file: str | Path = ACCOUNT
    mount: str = "kubernetes"


@dataclass(frozen=True)
class Certificate:
    """A TLS client certificate; the address must be https."""

    cert_file: str | Path
    key_file: str | Path
    role: str = ""
    """Empty: whichever role of the mount the certificate fits."""
    mount: str = "cert"

    def login(self, client: Any, backend: str) -> None:
        for file, content in ((self.cert_file, "certificate"), (self.key_file, "key")):
            _read(file, content, backend)
        pair = (str(Path(self.cert_file).expanduser()), str(Path(self.key_file).expanduser()))
        client.session.cert = pair  # the login is bound to the connection's certificate
        answer = client.adapter.login(f"/v1/auth/{self.mount}/login", json={"name": self.role} if self.role else {})
        _redacted(answer["auth"]["client_token"])

    def explain(self, why: str) -> tuple[str, str]:
        what = f"The certificate login at auth/{self.mount} was refused ({why})."
        return what, f"check the mount, and that {self.cert_file} has not expired and fits {self.role or 'a role'}"


def _redacted(token: str) -> str:
    redactor.add(token)
    return token


def _read(path: str | Path, content: str, backend: str, missing: str | None = None) -> str:
    """Return what a file holds; `missing` when there is no such file, if that is given."""
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        if missing is not None:
            return missing
        raise SecretsError(Fault(backend, f"There is no {content} in {path}.", f"put it there: {path}")) from None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", "") or "it is not text"
        what = f"The {content} in {path} cannot be read ({why})."
        raise SecretsError(Fault(backend, what, f"let {path} be a file that you may read")) from None
    return _redacted(text)


def session(ca_file: str | Path | None, backend: str) -> requests.Session:
    """Return a session that keeps as many connections as names are read at once. Raises `SecretsError`."""
    new_session = requests.Session()
    new_session.trust_env = False  # a proxy is no place for secrets
    new_session.verify = _authority(ca_file, backend) if ca_file else True
    new_session.hooks["response"].append(_refuse_redirect)
    for scheme in ("https://", "http://"):
        new_session.mount(scheme, HTTPAdapter(pool_maxsize=PARALLEL_READS, pool_block=True))
    return new_session


def _authority(ca_file: str | Path, backend: str) -> str:
    path = Path(ca_file).expanduser()
    if not path.is_file():
        raise SecretsError(Fault(backend, f"There is no ca_file {ca_file}.", "put the certificate authority's there"))
    return str(path)


def _refuse_redirect(response: requests.Response, **_: Any) -> None:
    if response.is_redirect:
        raise requests.TooManyRedirects(response.headers["location"], response=response)
