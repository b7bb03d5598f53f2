"""What belongs to our production servers alone. Everything else has the defaults of all.py."""

from deploys.certbot.settings import Certbot
from deploys.environment.settings import Environment
from deploys.stack import Stack
from healthv1.secrets.file import EncryptedFile

# A file that is encrypted with a passphrase, to be committed with the rest; `recipients` seals it to your team's own keys.
# The alternatives, imported from healthv1.secrets.vault and healthv1.secrets.aws (docs/secrets.md helps to choose):
#   secrets = Vault(address="https://vault.example.com:8200", path="production")
#   secrets = SecretsManager(prefix="health-v1/production", region="eu-central-1")
secrets = EncryptedFile("secrets/production.age")

stack = Stack(domain="api.example.com")
environment = Environment(
    cors_allowed_origins=("https://app.example.com", "https://admin.example.com"),
    smtp_host="smtp.example.com",
    smtp_from="noreply@example.com",
)
certbot = Certbot(email="ops@example.com")
