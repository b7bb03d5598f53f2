"""How Vault is spoken to: connections that are kept, no proxy, no redirects, no long waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from healthv1.errors import Fault, SecretsError
from healthv1.secrets.kept import AT_ONCE

TIMEOUT = 5  # seconds


def session(ca_file: str | Path | None, backend: str) -> requests.Session:
    """Return a session that keeps as many connections as names are read at once. Raises `SecretsError`."""
    made = requests.Session()
    made.trust_env = False  # a proxy is no place for secrets
    made.verify = _authority(ca_file, backend) if ca_file else True
    made.hooks["response"].append(_stay)
    for scheme in ("https://", "http://"):
        made.mount(scheme, HTTPAdapter(pool_maxsize=AT_ONCE, pool_block=True))
    return made


def _authority(ca_file: str | Path, backend: str) -> str:
    path = Path(ca_file).expanduser()
    if not path.is_file():
        raise SecretsError(Fault(backend, f"There is no ca_file {ca_file}.", "put the certificate authority's there"))
    return str(path)


def _stay(response: requests.Response, **_: Any) -> None:
    if response.is_redirect:
        raise requests.TooManyRedirects(response.headers["location"], response=response)
