"""The kinds of values that variables hold. No message repeats the value it refuses."""

import base64
import binascii
import re
from typing import Annotated, Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

MASTER_KEY_BYTES = 32
DATABASE_FORM = "must be postgresql://user:password@host:port/database, with / @ # % in the password percent-encoded"
REDIS_FORM = "must be redis://user:password@host:port/number, with / @ # % in the password percent-encoded"


def connection_parts(url: SecretStr) -> dict[str, object]:
    try:
        return dict(conninfo_to_dict(url.get_secret_value()))
    except psycopg.Error:
        return {}


def _a_database_url(url: SecretStr) -> SecretStr:
    scheme, _, _ = url.get_secret_value().partition("://")
    parts = connection_parts(url)
    if scheme not in {"postgresql", "postgres"} or not (parts.get("user") and parts.get("dbname")):
        raise ValueError(DATABASE_FORM)
    return url


def _a_redis_url(url: SecretStr) -> SecretStr:
    from redis.connection import parse_url  # noqa: PLC0415 - takes longer than all other settings; commands need none

    try:
        parse_url(url.get_secret_value())  # type: ignore[no-untyped-call]
    except ValueError:
        raise ValueError(REDIS_FORM) from None
    return url


def _a_master_key(key: SecretStr) -> SecretStr:
    try:
        size = len(base64.b64decode(key.get_secret_value(), validate=True))
    except binascii.Error:
        size = 0
    if size != MASTER_KEY_BYTES:
        raise ValueError(f"must be base64 of exactly {MASTER_KEY_BYTES} bytes")
    return key


def _origins(text: object) -> object:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text


def _an_origin(origin: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+", origin):
        raise ValueError("must be origins like https://app.example.org, separated by commas, without a path")
    return origin


def _lower(text: object) -> object:
    return text.lower() if isinstance(text, str) else text


Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_a_database_url)]
RedisUrl = Annotated[SecretStr, AfterValidator(_a_redis_url)]
MasterKey = Annotated[SecretStr, AfterValidator(_a_master_key)]
Password = Annotated[SecretStr, Field(min_length=12)]
SigningSecret = Annotated[SecretStr, Field(min_length=32)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_an_origin)], ...], NoDecode, BeforeValidator(_origins)]
LogLevel = Annotated[Literal["error", "warn", "info", "debug", "trace"], BeforeValidator(_lower)]
Stage = Literal["production", "staging", "sandbox", "development"]
