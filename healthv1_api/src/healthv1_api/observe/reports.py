"""Unhandled exceptions go to Sentry where a DSN is set: their types and places, and nothing that a client sent."""

from typing import Any

import sentry_sdk
from sentry_sdk.types import Event, Hint

from healthv1_api import VERSION
from healthv1_api.observe.logs import request_id
from healthv1_api.settings import ServiceSettings

KEPT = ("event_id", "timestamp", "platform", "level", "release", "environment", "sdk", "tags")
KEPT_OF_FRAMES = ("filename", "function", "module", "lineno", "in_app")


def report_to_sentry(settings: ServiceSettings) -> None:
    """Do nothing without a DSN."""
    if settings.sentry_dsn is None:
        return
    sentry_sdk.init(
        settings.sentry_dsn.get_secret_value(),
        release=VERSION,
        environment=settings.environment,
        # Integrations would read requests, statements and log lines.
        default_integrations=False,
        auto_enabling_integrations=False,
        auto_session_tracking=False,
        send_client_reports=False,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        max_request_body_size="never",
        send_default_pii=False,
        before_send=only_types_and_places,
    )


def report(error: Exception, route: str) -> None:
    if not sentry_sdk.get_client().is_active():
        return
    with sentry_sdk.new_scope() as scope:
        scope.set_tag("route", route)
        scope.set_tag("request_id", request_id.get() or "")
        sentry_sdk.capture_exception(error)


def only_types_and_places(event: Event, _: Hint) -> Event:
    """What is not named here is not sent: neither messages of exceptions, which quote values, nor requests."""
    exceptions = event.get("exception", {}).get("values", [])
    kept: dict[str, Any] = {name: event[name] for name in KEPT if name in event}  # type: ignore[literal-required]
    kept["exception"] = {"values": [_of_exception(one) for one in exceptions]}
    return kept  # type: ignore[return-value]


def _of_exception(exception: dict[str, Any]) -> dict[str, Any]:
    frames = (exception.get("stacktrace") or {}).get("frames", [])
    places = [{name: frame[name] for name in KEPT_OF_FRAMES if name in frame} for frame in frames]
    return {"type": exception.get("type"), "module": exception.get("module"), "stacktrace": {"frames": places}}
