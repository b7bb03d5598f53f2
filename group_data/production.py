"""What belongs to our production servers alone. Everything else has the defaults of all.py."""

from deploys.certbot.settings import Certbot
from deploys.environment.settings import Environment
from deploys.stack import Stack
from healthv1.secrets.vault import Vault

# The token comes from VAULT_TOKEN or ~/.vault-token.
secrets = Vault(address="https://vault.example.com:8200", mount="health-v1", path="production")

stack = Stack(domain="api.example.com")
environment = Environment(
    cors_allowed_origins=("https://app.example.com", "https://admin.example.com"),
    smtp_host="smtp.example.com",
    smtp_from="noreply@example.com",
)
certbot = Certbot(email="ops@example.com")
