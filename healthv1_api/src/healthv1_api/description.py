"""The OpenAPI description names problem documents, which routes answer without returning them."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from healthv1_api.problems import ProblemDocument


def describe_problems(app: FastAPI) -> None:
    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, routes=app.routes)
            schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
            parts = document.setdefault("components", {}).setdefault("schemas", {})
            parts |= {**schema.pop("$defs", {}), "ProblemDocument": schema}
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way
