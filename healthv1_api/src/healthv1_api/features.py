"""`/v1/features`: what this deployment has switched on, for its admins."""

from fastapi import APIRouter, Depends

from healthv1_api.auth.gate import Gate
from healthv1_api.documents import Document
from healthv1_api.problems import documented
from healthv1_api.settings import ServiceSettings


class Features(Document):
    pacs_integration: bool
    hl7_integration: bool
    fhir_api: bool
    mail: bool
    error_reports: bool


def routes(settings: ServiceSettings, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/v1/features", tags=["features"])
    features = Features(
        pacs_integration=settings.enable_pacs_integration,
        hl7_integration=settings.enable_hl7_integration,
        fhir_api=settings.enable_fhir_api,
        mail=settings.smtp_host is not None,
        error_reports=settings.sentry_dsn is not None,
    )

    @router.get("", dependencies=[Depends(gate.allow("admin"))], responses=documented(401, 403))
    async def read() -> Features:
        return features

    return router
