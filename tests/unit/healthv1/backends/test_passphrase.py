"""What a passphrase opens is an age file like any other, on a slow machine too."""

import base64
import os
import pty
import shutil
import subprocess

import pyrage
import pytest

from deploys.secret import Secret
from healthv1.secrets import age, passphrase
from healthv1.secrets.file import EncryptedFile
from healthv1.secrets.file.backend import _opened_keys

SECRET = "correct horse battery staple"
SIZES = [0, 1, 65535, 65536, 65537, 200_000]


@pytest.mark.parametrize("size", SIZES)
def test_pyrage_opens_what_we_lock_and_we_what_pyrage_locks(size):
    plain = os.urandom(size)
    assert pyrage.passphrase.decrypt(passphrase.encrypt(plain, SECRET), SECRET) == plain
    if size in {0, 65536}:  # it takes a second each time
        assert passphrase.decrypt(pyrage.passphrase.encrypt(plain, SECRET), SECRET) == plain


@pytest.mark.skipif(shutil.which("age") is None, reason="age is not installed")
def test_age_itself_opens_it(tmp_path):
    file = tmp_path / "file.age"
    file.write_text(age.encrypt_with_passphrase(b"plain", SECRET) + "\n")
    ours, theirs = pty.openpty()  # it asks a terminal alone
    process = subprocess.Popen(
        ["setsid", "-c", "age", "--decrypt", file], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs
    )
    os.write(ours, f"{SECRET}\n".encode())
    assert process.communicate(timeout=30)[0] == b"plain"


def test_the_work_factor_is_the_same_on_every_machine(monkeypatch):
    monkeypatch.undo()
    content = base64.b64decode("".join(age.encrypt_with_passphrase(b"plain", SECRET).splitlines()[1:-1]))
    assert content.splitlines()[1].endswith(b" 18")


def test_a_wrong_passphrase_an_altered_file_and_an_absurd_work_factor_are_told_apart():
    armored = age.encrypt_with_passphrase(b"plain", SECRET)
    with pytest.raises(age.AgeError, match="passphrase is wrong"):
        age.decrypt_with_passphrase(armored, "another")
    content = bytearray(base64.b64decode("".join(armored.splitlines()[1:-1])))
    content[-1] ^= 1
    with pytest.raises(passphrase.Damaged):
        passphrase.decrypt(bytes(content), SECRET)
    absurd = bytes(content).replace(b" 4\n", b" 30\n", 1)
    with pytest.raises(age.AgeError, match="work factor is 30"):
        age.decrypt_with_passphrase("\n".join((age.BEGIN, base64.b64encode(absurd).decode(), age.END)), SECRET)


@pytest.mark.parametrize("size", [0, 65536, 65537])
def test_whichever_part_is_missing_or_altered_it_is_refused(size):
    whole = passphrase.encrypt(os.urandom(size), SECRET)
    for end in {len(whole) - 1, len(whole) - 17, len(whole) // 2, 60, 0}:
        with pytest.raises(passphrase.Damaged):
            passphrase.decrypt(whole[:end], SECRET)
    for at in (5, 30, whole.index(b"---") + 6, whole.index(b"---") + 60, len(whole) - 3):
        altered = bytearray(whole)
        altered[at] ^= 2
        with pytest.raises((passphrase.Damaged, passphrase.WrongPassphrase)):
            passphrase.decrypt(bytes(altered), SECRET)


def test_a_command_opens_one_file_once_however_often_its_settings_are_read(tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("HEALTHV1_PASSPHRASE", SECRET)
    monkeypatch.setattr(passphrase, "WORK_FACTOR", 4)
    opened = []
    unlock = age.decrypt_with_passphrase
    monkeypatch.setattr(age, "decrypt_with_passphrase", lambda *given: opened.append(given) or unlock(*given))
    path = tmp_path / "secrets.age"
    EncryptedFile(path).store((Secret("jwt", entropy=32),))
    _opened_keys.clear()  # another command
    for _ in range(3):
        assert not EncryptedFile(path).missing((Secret("jwt", entropy=32),))
    assert len(opened) == 1
