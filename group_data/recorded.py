"""Settings for recorded bare hosts: enough for a plan."""

from deploys.certbot.settings import Certbot
from deploys.environment.settings import Environment
from deploys.stack import Stack
from healthv1.secrets.rehearsal import Rehearsal

secrets = Rehearsal()
stack = Stack(domain="api.example.com", environment="staging")
environment = Environment(cors_allowed_origins=("https://app.example.com",), require_escrow=False)
certbot = Certbot(email="ops@example.com")
