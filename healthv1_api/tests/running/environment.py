"""The environment of one deployment, with secrets of its own."""

import base64
import secrets

from running.database import Database


def master_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def variables(database: Database, redis_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database.pooled_url,
        "MIGRATION_DATABASE_URL": database.owner_url,
        "REDIS_URL": redis_url,
        "JWT_SECRET": secrets.token_urlsafe(48),
        "SESSION_SECRET": secrets.token_urlsafe(48),
        "MASTER_KEY": master_key(),
        "SMTP_PASSWORD": secrets.token_urlsafe(24),
    }
