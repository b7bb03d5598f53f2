"""Settings of our production servers alone. Everything else has the defaults of all.py."""

from deploys.certbot.settings import Certbot
from deploys.environment.settings import Environment
from deploys.stack import Stack
from healthv1.secrets.file import EncryptedFile

# One line chooses the backend; docs/secrets.md compares the three. This one is a file to commit with the rest,
# encrypted with a passphrase, or to your team's own keys with `recipients=("ssh-ed25519 AAAA…",)`. The others:
# - healthv1.secrets.vault: Vault(address="https://vault.example.com:8200", path="production"), as in cluster.py
# - healthv1.secrets.aws: SecretsManager(prefix="health-v1/production", region="eu-central-1")
secrets = EncryptedFile("secrets/production.age")

stack = Stack(domain="api.example.com")
environment = Environment(
    cors_allowed_origins=("https://app.example.com", "https://admin.example.com"),
    smtp_host="smtp.example.com",
    smtp_from="noreply@example.com",
)
certbot = Certbot(email="ops@example.com")

# Nothing is backed up until `backup` names a repository: plan warns until then. docs/backup.md has the lines to add.
