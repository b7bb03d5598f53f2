"""The sandbox: disposable hosts on this machine, smaller than a server, with their own Vault and ACME servers."""

from pathlib import Path

from deploys.backup.settings import S3, Backup
from deploys.certbot.settings import Certbot
from deploys.environment.settings import Environment
from deploys.postgresql.settings import Postgresql
from deploys.preflight.settings import Preflight
from deploys.stack import Stack
from healthv1 import sandbox
from healthv1.secrets.vault import Token, Vault

_running = sandbox.running()

preflight = Preflight(minimum_cores=1, minimum_memory=1, minimum_disk=0, minimum_free=0.2)
postgresql = Postgresql(memory=1)
stack = Stack(domain="api.sandbox.test", environment="sandbox")
environment = Environment(
    cors_allowed_origins=("https://app.sandbox.test",), smtp_host="localhost", require_escrow=False
)

if _running:
    secrets = Vault(
        address=_running.openbao.address,
        mount="health-v1",
        path=_running.name,
        auth=Token(file=_running.openbao.token_file),
    )
    certbot = Certbot(
        email="ops@sandbox.test",
        directory_url=_running.acme.directory_url,
        directory_ca=Path(_running.acme.ca_file).read_text(encoding="utf-8"),
        trust=_running.acme.root_file,
    )
    backup = Backup(
        repository=S3(
            bucket=_running.s3.bucket,
            endpoint=_running.s3.endpoint.removeprefix("https://"),
            operator_endpoint=_running.s3.address.removeprefix("https://"),
            region=_running.s3.region,
            style="path",
            certificates=Path(_running.s3.ca_file).read_text(encoding="utf-8"),
        ),
        reserve=16,
    )
