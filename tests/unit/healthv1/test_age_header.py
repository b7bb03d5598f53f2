"""An age file's header for another key: that key opens this file alone, and nobody else's key is needed for it."""

import subprocess

import pyrage
import pytest

from healthv1.secrets import age, age_header
from healthv1.secrets.age import AgeError

PLAIN = b"patients' data " * 9000  # more than one chunk of the payload
MINE, ANOTHERS = age.generate_key(), age.generate_key()


def _file(*keys):
    to = [word for key in keys for word in ("-r", age.public_key(key))]
    return subprocess.run(["age", *to], input=PLAIN, capture_output=True, check=True).stdout


def _parts(file):
    end = file.index(b"\n", file.index(b"\n--- ") + 1) + 1
    return file[:end], file[end:]


@pytest.mark.parametrize("recipients", [(MINE,), (ANOTHERS, MINE)])
def test_the_new_key_opens_the_file_with_the_new_header(recipients):
    header, payload = _parts(_file(*recipients))
    new, key = age_header.resealed(header, [MINE])
    assert pyrage.decrypt(new + payload, age.identities(key)) == PLAIN
    assert key not in (MINE, ANOTHERS)
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(new + payload, age.identities(MINE))
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(header + payload, age.identities(key))  # of the file as it lies there it is no key


def test_age_itself_opens_it_too(tmp_path):
    header, payload = _parts(_file(MINE))
    new, key = age_header.resealed(header, [MINE])
    (tmp_path / "key").write_text(key)
    argv = ["age", "-d", "-i", tmp_path / "key"]
    assert subprocess.run(argv, input=new + payload, capture_output=True, check=True).stdout == PLAIN


def test_another_key_opens_nothing():
    header, _ = _parts(_file(MINE))
    with pytest.raises(AgeError, match="The key does not open it"):
        age_header.resealed(header, [ANOTHERS])
    with pytest.raises(AgeError, match="The key does not open it"):
        age_header.resealed(header, [])


@pytest.mark.parametrize("cut", [b"", b"age-encryption.org/v1\n", b"-> X25519 AAAA\nBBBB\n--- CC\n"])
def test_what_is_no_header_opens_nothing(cut):
    with pytest.raises(AgeError):
        age_header.resealed(cut, [MINE])


def test_a_header_that_somebody_changed_is_refused():
    header, _ = _parts(_file(ANOTHERS, MINE))
    at = header.index(b"-> X25519 ") + 12
    changed = header[:at] + (b"B" if header[at : at + 1] != b"B" else b"C") + header[at + 1 :]
    with pytest.raises(AgeError, match="tampered"):
        age_header.resealed(changed, [MINE])
