"""Secrets in AWS Secrets Manager: one secret per name, updated only by compare-and-set of its AWSCURRENT label."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from healthv1.errors import Fault, SecretsError
from healthv1.secrets.aws.explanation import RAISED, AwsPlace, code, explain
from healthv1.secrets.backend import PARALLEL_READS, Backend
from healthv1.secrets.entry import Entry

TIMEOUT = 5  # seconds
CURRENT = "AWSCURRENT"

for _name in ("boto3", "botocore", "urllib3"):  # at DEBUG they log requests and answers, with the values in them
    logging.getLogger(_name).setLevel(logging.INFO)


class SecretsManager(Backend[str]):
    """The secrets `prefix`/NAME of one region. The credentials are those of `profile`, else boto3's usual ones."""

    def __init__(
        self,
        prefix: str,
        region: str,
        endpoint: str | None = None,
        profile: str | None = None,
        kms_key: str | None = None,
    ) -> None:
        super().__init__()
        self._place = AwsPlace(prefix.strip("/"), region, endpoint or "", profile or "")
        self._kms_key = kms_key
        self._client_lock = Lock()  # those who read side by side share one client
        self._opened_client: Any = None

    def __str__(self) -> str:
        return str(self._place)

    def names(self) -> tuple[str, ...]:
        start = self._place.id("")
        with self._explaining("list"):
            pages = self._client().get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": [start]}])
            names = [secret["Name"] for page in pages for secret in page["SecretList"]]
        # The filter also finds what starts alike; a longer path is none of ours.
        ours = (name.removeprefix(start) for name in names if name.startswith(start))
        return tuple(sorted(name for name in ours if "/" not in name))

    def _connect(self) -> None:
        with self._explaining("read"):
            self._client()

    def _fetch(self, name: str) -> tuple[Entry | None, str]:
        with self._explaining("read", name):
            try:
                response = self._client().get_secret_value(SecretId=self._place.id(name), VersionStage=CURRENT)
            except ClientError as error:
                if code(error) == "ResourceNotFoundException":
                    return None, ""
                raise
            return self._understood(name, response.get("SecretString", "")), str(response["VersionId"])

    def _understood(self, name: str, text: str) -> Entry:
        try:
            return Entry.from_document(json.loads(text))
        except ValueError:
            what = "What the backend holds there is not what we keep."
            hint = f"move {CURRENT} back to an older version: aws secretsmanager list-secret-version-ids"
            raise SecretsError(Fault(f"{self}#{name}", what, f"{hint} {self._place.arguments(name)}")) from None

    def _put(self, name: str, entry: Entry, revision: str) -> bool:
        text = json.dumps(entry.as_document(), ensure_ascii=False)
        return self._update(name, text, revision) if revision else self._create(name, text)

    def _create(self, name: str, text: str) -> bool:
        key = {"KmsKeyId": self._kms_key} if self._kms_key else {}
        with self._explaining("create", name):
            try:
                self._client().create_secret(Name=self._place.id(name), SecretString=text, **key)
            except ClientError as error:
                if code(error) == "ResourceExistsException":
                    return False
                raise
        return True

    def _update(self, name: str, text: str, revision: str) -> bool:
        """Put a version beside the current one, then have it be the current one if `revision` still is."""
        version = str(uuid4())
        ours = f"healthv1-{version}"  # without any label AWS may remove a version at once
        with self._explaining("update", name):
            self._client().put_secret_value(
                SecretId=self._place.id(name), ClientRequestToken=version, SecretString=text, VersionStages=[ours]
            )
            try:
                self._label(name, CURRENT, MoveToVersionId=version, RemoveFromVersionId=revision)
            except ClientError as error:
                if code(error) != "InvalidParameterException":
                    raise
                return self._fetch(name)[1] == version  # an answer that was lost makes boto3 ask twice
            finally:
                self._label(name, ours, RemoveFromVersionId=version)
        return True

    def _label(self, name: str, label: str, **versions: str) -> None:
        self._client().update_secret_version_stage(SecretId=self._place.id(name), VersionStage=label, **versions)

    def _client(self) -> Any:
        with self._client_lock:
            if self._opened_client is None:
                session = boto3.Session(profile_name=self._place.profile or None, region_name=self._place.region)
                self._opened_client = session.client(
                    "secretsmanager", endpoint_url=self._place.endpoint or None, config=_configuration()
                )
            return self._opened_client

    @contextmanager
    def _explaining(self, verb: str, name: str = "") -> Iterator[None]:
        """Turn what boto3 raises into a fault that names this backend or the reference, and never a value."""
        try:
            yield
        except RAISED as error:
            raise explain(error, self._place, verb, name) from None


def _configuration() -> Config:
    return Config(
        connect_timeout=TIMEOUT,
        read_timeout=TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": 2},
        max_pool_connections=PARALLEL_READS,
        proxies={},  # a proxy is no place for secrets
    )
