"""`serve`: runs until a signal ends it."""

from argparse import Namespace

from healthv1_api.serve import serve
from healthv1_api.settings import ServiceSettings, read


def run(arguments: Namespace) -> list[str]:
    settings = read(ServiceSettings, api_service_port=arguments.port, prometheus_metrics_port=arguments.metrics_port)
    serve(settings, arguments.host)
    return []
