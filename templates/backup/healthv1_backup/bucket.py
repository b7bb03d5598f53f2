"""Speaks to a bucket as whoever has the host's key would. pgBackRest cannot ask for versions and locks.

A host has the distribution's Python and no library: requests are signed here, by AWS' "Signature Version 4".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree as ET

from healthv1_backup.processes import Failed
from healthv1_backup.settings import CREDENTIALS, Settings

ANSWER = 15  # seconds
_EMPTY: Mapping[str, str] = {}
_SAFE = "-_.~"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """By names in small letters."""
    body: bytes

    @property
    def done(self) -> bool:
        return self.status < 300

    @property
    def refused(self) -> bool:
        """Whether the key, or a lock, does not allow it."""
        return self.status == 403

    def values(self, name: str) -> list[str]:
        """Return the texts of the elements with this name in the XML that came."""
        if not self.body.lstrip().startswith(b"<"):
            return []
        try:
            root = ET.fromstring(self.body)  # noqa: S314 - from the server that our backups are entrusted to
        except ET.ParseError:
            return []
        return [element.text or "" for element in root.iter() if element.tag.rpartition("}")[2] == name]

    @property
    def why(self) -> str:
        return f"{self.status} {' '.join(self.values('Code'))}".strip()


@dataclass(frozen=True)
class Bucket:
    name: str
    endpoint: str
    region: str
    style: str
    certificates: str
    """Path of the authority's certificates; empty: the distribution's."""
    key: str
    secret: str = field(repr=False)

    @classmethod
    def of(cls, settings: Settings, number: int, file: Path | None = None) -> Bucket:
        """Return a repository's, with the key that pgBackRest has, or drills have. Raises `Failed`."""
        at, file = settings.bucket(number), file or CREDENTIALS
        keys = dict(line.split("=", 1) for line in file.read_text(encoding="utf-8").splitlines() if "=" in line)
        try:
            key, secret = keys[f"repo{number}-s3-key"], keys[f"repo{number}-s3-key-secret"]
        except KeyError:
            raise Failed(f"repository {number}: its key is not in {file}") from None
        return cls(at["bucket"], at["endpoint"], at["region"], at["style"], at["certificates"], key, secret)

    def ask(
        self,
        method: str,
        key: str = "",
        query: Mapping[str, str] = _EMPTY,
        headers: Mapping[str, str] = _EMPTY,
        body: bytes = b"",
    ) -> Answer:
        """Send one request to the bucket, or to the object `key`. Raises `Failed` when nothing comes back."""
        return self._send(method, *self._address(key), query, headers, body)

    def ask_server(self) -> Answer:
        """Ask which buckets there are."""
        return self._send("GET", self.endpoint, "/", _EMPTY, _EMPTY, b"")

    def beside(self, name: str) -> Bucket:
        """Return another bucket of the same server, for the same key."""
        return Bucket(name, self.endpoint, self.region, self.style, self.certificates, self.key, self.secret)

    def _address(self, key: str) -> tuple[str, str]:
        path = quote(f"/{key}", safe=f"/{_SAFE}")
        return (
            (f"{self.name}.{self.endpoint}", path) if self.style == "host" else (self.endpoint, f"/{self.name}{path}")
        )

    def _send(
        self, method: str, host: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        words = "&".join(f"{quote(name, safe=_SAFE)}={quote(query[name], safe=_SAFE)}" for name in sorted(query))
        if body:
            headers = {**headers, "content-md5": base64.b64encode(hashlib.md5(body).digest()).decode()}  # noqa: S324
        signed = self._signed(method, host, path, words, headers, hashlib.sha256(body).hexdigest(), time.gmtime())
        context = ssl.create_default_context(cafile=self.certificates or None)
        name, _, port = host.partition(":")
        connection = http.client.HTTPSConnection(name, int(port or 443), timeout=ANSWER, context=context)
        try:
            connection.request(method, f"{path}?{words}" if words else path, body or None, signed)
            answer = connection.getresponse()
            answered = {header.lower(): value for header, value in answer.getheaders()}
            return Answer(answer.status, answered, answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"{host} does not answer: {error or type(error).__name__}") from None
        finally:
            connection.close()

    def _signed(
        self,
        method: str,
        host: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        digest: str,
        now: time.struct_time,
    ) -> dict[str, str]:
        """Return the headers with a signature: docs.aws.amazon.com, "Authenticating Requests: AWS Signature V4"."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", now)
        scope = f"{moment[:8]}/{self.region}/s3/aws4_request"
        sent = {**headers, "host": host, "x-amz-content-sha256": digest, "x-amz-date": moment}
        names = ";".join(sorted(sent))
        lines = "".join(f"{name}:{sent[name].strip()}\n" for name in sorted(sent))
        request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{digest}"
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signing = f"AWS4{self.secret}".encode()
        for part in scope.split("/"):
            signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(signing, text.encode(), hashlib.sha256).hexdigest()
        credential = f"Credential={self.key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {**sent, "authorization": f"AWS4-HMAC-SHA256 {credential}"}
