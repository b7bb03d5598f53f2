"""A drill with nothing but an escrow file: what opens the repositories, and what opens the data in them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploys.backup.configuration import credentials_file
from deploys.backup.settings import Backup
from deploys.component import Secret
from deploys.credentials import master_key
from deploys.secret import Version
from healthv1.errors import Fault, Refused
from healthv1.secrets import escrow
from healthv1.secrets.escrow import Escrow


@dataclass(frozen=True)
class EscrowedSecrets:
    """Gives settings the values out of an escrow file, and nothing else."""

    file: Path
    escrow: Escrow
    environment: str

    @classmethod
    def read(cls, file: Path, identity: Path, environment: str) -> EscrowedSecrets:
        """Raises `SecretsError`, and `Refused` when the file cannot be read."""
        try:
            data = file.read_bytes()
        except OSError as error:
            raise Refused(Fault(str(file), f"It cannot be read ({error.strerror}).", "give an escrow file")) from None
        return cls(file, escrow.read(data, identity), environment)

    def repository_keys(self, settings: Backup) -> str:
        """Return what pgBackRest's configuration is to say, secret. Raises `Refused` when the file lacks any of it."""
        reader = settings.with_one_key(reader=True)
        # A file from before drills had a key of their own opens the backups as well.
        used = settings.with_one_key(reader=False) if self.missing(reader.secrets()) else reader
        self._refuse_missing(used.secrets())
        return credentials_file(used.bind(self))

    def master_keys(self, secret: Secret) -> tuple[Version, ...]:
        """Return every version of the master key. Raises `Refused` when the file has none."""
        self._refuse_missing((secret,))
        return tuple(Version(kept.number, kept.value) for kept in self.escrow.secrets[secret.key].versions)

    def _refuse_missing(self, secrets: tuple[Secret, ...]) -> None:
        export = f"healthv1 secrets export {self.environment} --to KEY --out {shlex.quote(str(self.file))}"
        Refused.unless(
            Fault(str(self.file), f"It does not hold {secret.key}.", export) for secret in self.missing(secrets)
        )

    def versions(self, secret: Secret) -> tuple[Version, ...]:
        return tuple(Version(kept.number, kept.value) for kept in self.escrow.secrets[secret.key].accepted)

    def missing(self, secrets: tuple[Secret, ...]) -> tuple[Secret, ...]:
        return tuple(secret for secret in secrets if secret.key not in self.escrow.secrets)

    def store(self, secrets: tuple[Secret, ...]) -> None:
        raise NotImplementedError

    def unexported(self, secrets: tuple[Secret, ...]) -> tuple[Fault, ...]:  # noqa: ARG002 - as backends have it
        return ()

    def __str__(self) -> str:
        return f"escrow:{self.file.name}"


@dataclass(frozen=True)
class Opening:
    """Whether the master key opens what a restored copy has sealed."""

    holds: bool
    what: str


def opening(data_key: Mapping[str, str], versions: tuple[Version, ...]) -> Opening:
    """Open the newest data key of a restored copy: with it, patients' data can be read."""
    if not data_key:
        return Opening(holds=True, what="nothing is sealed with a master key yet")
    wrapped = bytes.fromhex(data_key["wrapped"])
    for version in versions:
        if master_key.opens(version.value, wrapped, data_key["purpose"]):
            return Opening(holds=True, what=f"the master key out of escrow opens data key {data_key['id']}")
    return Opening(
        holds=False,
        what=f"no master key out of escrow opens data key {data_key['id']}, which {data_key['master']} sealed",
    )
