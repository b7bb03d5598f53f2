"""What is claimed of a host that keeps another's backups."""

from __future__ import annotations

from deploys.backup.settings import ReachedHost
from deploys.component import Check
from deploys.tls import AUTHORITY, HostIdentity, KeyFiles

LEAST_FREE = 5
"""Of a hundred."""


def serves(settings: ReachedHost, files: KeyFiles) -> str:
    """Return a test that succeeds if the server shows the certificate that lies there, and our authority signed it."""
    place = HostIdentity.of("repository", (settings.address,))
    address = f"[{settings.address}]" if ":" in settings.address else settings.address
    expected = f"-verify_ip {settings.address}" if place.addresses else f"-verify_hostname {settings.address}"
    connect = (
        f"timeout 10 openssl s_client -connect {address}:{settings.port} -CAfile {AUTHORITY} -no-CApath -no-CAstore"
        f" -verify_return_error {expected}"
    )
    served = f"{connect} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256"
    return f'test "$({served})" = "$(openssl x509 -in {files.certificate} -noout -fingerprint -sha256)"'


def checks(settings: ReachedHost, files: KeyFiles, account: str, unit: str) -> list[Check]:
    folder = settings.folder
    return [
        Check(
            "The repository of backups runs, and starts with the host",
            f"systemctl is-active --quiet {unit} && systemctl is-enabled --quiet {unit}",
            f"run: healthv1 apply ENV; read there: journalctl -u {unit} -n 50",
        ),
        Check(
            "The repository of backups proves who it is, with the certificate that lies there",
            serves(settings, files),
            f"run there: systemctl reload {unit}",
        ),
        Check(
            "The backups' folder is the repository's alone",
            f"test \"$(stat -c '%a %U:%G' {folder})\" = '750 {account}:{account}'",
            "run: healthv1 apply ENV; a disk that is to be mounted there, mount",
        ),
        Check(
            f"{LEAST_FREE} % of the disk with the backups are free",
            f'test "$(df --output=pcent {folder} | tail -n 1 | tr -dc 0-9)" -le {100 - LEAST_FREE}',
            "make room there; what backup.keep_days lets go of goes with the next backup: healthv1 backup now ENV",
        ),
    ]
