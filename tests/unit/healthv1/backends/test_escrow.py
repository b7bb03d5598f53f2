"""What was exported for escrow is read back whole, or refused with the reason; also by the age tool alone."""

import base64
import json
import shutil
import subprocess

import pytest

from healthv1.output.redaction import redactor
from healthv1.secrets import age, escrow
from healthv1.secrets.entry import Entry

ENTRIES = {
    "master_key": Entry.first("precious-one").staged("precious-two"),
    "jwt_secret": Entry.first("precious pässword \" ' \\ 🔑"),
}
REFERENCE = "vault:health-v1/production"


@pytest.fixture
def ssh_key(tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "ssh"], check=True)
    return tmp_path / "ssh"


@pytest.fixture
def sealed(key_file, ssh_key):
    recipients = (age.public_key(key_file.read_text()), ssh_key.with_suffix(".pub").read_text())
    return escrow.export(ENTRIES, recipients, REFERENCE)


def test_either_recipient_reads_every_version_back(sealed, key_file, ssh_key):
    for identity in (key_file, ssh_key):
        found = escrow.read(sealed, identity)
        assert found.reference == REFERENCE
        assert found.secrets == ENTRIES
        assert found.holds(ENTRIES)
    assert not found.holds({"master_key": Entry.first("other")})
    assert not found.holds({"unknown": Entry.first("other")})
    assert "precious" not in repr(found)
    assert "precious-two" not in redactor.redact("precious-two")
    assert len(escrow.digest(sealed)) == 64


def test_every_value_survives_in_a_file_that_shows_none(sealed):
    assert b"precious" not in sealed
    lines = sealed.decode().splitlines()
    assert b"precious" not in base64.b64decode("".join(lines[1:-1]))


def test_each_wrong_recipient_is_named(refusal):
    good = age.public_key(age.generate_key())
    faults = refusal(lambda: escrow.export(ENTRIES, (good, "age1wrong", "ssh-rsa AAAA"), REFERENCE))
    assert [fault.where for fault in faults] == ["escrow: recipient age1wrong", "escrow: recipient ssh-rsa AAAA"]
    [fault] = refusal(lambda: escrow.export(ENTRIES, (), REFERENCE))
    assert "Nobody" in fault.what


def _opened(refusal, data, identity):
    [fault] = refusal(lambda: escrow.read(data, identity))
    assert "precious" not in str(fault)
    return fault


def test_a_wrong_key_is_refused_and_said_to_be(sealed, tmp_path, refusal):
    (tmp_path / "wrong").write_text(age.generate_key())
    assert "The key does not open it" in str(_opened(refusal, sealed, tmp_path / "wrong"))
    (tmp_path / "wrong").write_text("nonsense")
    assert str(tmp_path / "wrong") in str(_opened(refusal, sealed, tmp_path / "wrong"))
    assert "cannot be read" in str(_opened(refusal, sealed, tmp_path / "nowhere"))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", tmp_path / "protected"], check=True)
    assert "protected by a passphrase" in str(_opened(refusal, sealed, tmp_path / "protected"))


def test_what_was_cut_off_or_tampered_with_is_refused(sealed, key_file, refusal):
    assert "Its end is missing" in str(_opened(refusal, sealed[:-60], key_file))
    assert "It is no age file" in str(_opened(refusal, b"", key_file))
    lines = sealed.decode().splitlines()
    content = bytearray(base64.b64decode("".join(lines[1:-1])))
    for place in (25, len(content) // 2, len(content) - 1):
        content[place] ^= 1
        text = base64.encodebytes(bytes(content)).decode().replace("\n", "")
        body = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
        _opened(refusal, f"{lines[0]}\n{body}\n{lines[-1]}\n".encode(), key_file)
        content[place] ^= 1


@pytest.mark.parametrize("document", [{}, [], {"format": "other"}, {"format": escrow.FORMAT, "secrets": []}])
def test_another_file_for_the_same_key_is_none_of_ours(key_file, refusal, document):
    data = age.encrypt(json.dumps(document).encode(), [age.public_key(key_file.read_text())]).encode()
    assert "It is none of ours" in str(_opened(refusal, data, key_file))


@pytest.mark.skipif(not shutil.which("age"), reason="the tool age is not installed")
def test_the_age_tool_reads_it_as_documented(sealed, key_file, tmp_path):
    (tmp_path / "escrow.age").write_bytes(sealed)
    printed = subprocess.run(["age", "-d", "-i", key_file, tmp_path / "escrow.age"], check=True, stdout=subprocess.PIPE)
    document = json.loads(printed.stdout)
    assert document["environment"] == REFERENCE
    assert document["secrets"]["master_key"]["versions"]["2"]["value"] == "precious-two"
