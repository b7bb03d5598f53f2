"""Settings of the cluster alone: the same as for one server, because the addresses come from the inventory."""

from deploys.certbot.settings import Certbot
from deploys.environment.settings import Environment
from deploys.stack import Stack
from healthv1.secrets.vault import Vault

# The token comes from VAULT_TOKEN or ~/.vault-token; production.py shows the alternatives.
secrets = Vault(address="https://vault.example.com:8200", mount="health-v1", path="cluster")

stack = Stack(domain="api.example.com")
environment = Environment(
    cors_allowed_origins=("https://app.example.com", "https://admin.example.com"),
    smtp_host="smtp.example.com",
    smtp_from="noreply@example.com",
)
certbot = Certbot(email="ops@example.com")
