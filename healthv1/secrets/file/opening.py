"""Opens a secrets file: with a private key that it is encrypted to, or with its passphrase."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path

from healthv1.errors import Fault, SecretsError
from healthv1.output.redaction import redactor
from healthv1.secrets import age

KEY_FILE = "HEALTHV1_KEY_FILE"
PASSPHRASE = "HEALTHV1_PASSPHRASE"  # noqa: S105 - a variable's name
NEW_PASSPHRASE = "HEALTHV1_NEW_PASSPHRASE"  # noqa: S105 - a variable's name
SHORTEST = 12  # characters


@dataclass(frozen=True)
class FileOpening:
    """The inventory's settings for opening its file and encrypting it again."""

    place: str
    key_file: str | Path | None
    recipients: tuple[str, ...]

    def open(self, key: str, passphrase: str = "") -> tuple[str, str]:
        """Return the decrypted `key`, and the passphrase if it needed one. Raises `SecretsError`."""
        try:
            if not age.needs_passphrase(key):
                return self._open_with_key(key), ""
            given = passphrase or ask_passphrase(self.place, PASSPHRASE)
            return age.decrypt_with_passphrase(key, given).decode(), given
        except ValueError as error:
            raise self._fault(f"{str(error) or 'Its key is no text'}.", "try again, or restore it from git") from None

    def close(self, private: str, passphrase: str = "") -> tuple[str, str]:
        """Encrypt the file's key for those who may open it, and return the passphrase if there is one."""
        plain = self.contents(private).encode()
        if self.openers():
            return age.encrypt(plain, self.openers()), ""
        given = passphrase or new_passphrase(self.place, PASSPHRASE)
        return age.encrypt_with_passphrase(plain, given), given

    def contents(self, private: str) -> str:
        """Return what the file's key says, once decrypted: a key file as age-keygen makes it."""
        names = "".join(f"# opens with: {key}\n" for key in self.openers())
        return f"# The key of {self.place}: whoever has it reads every secret in there.\n{names}{private}\n"

    def openers(self) -> Sequence[str]:
        """Return the public keys that the file is to be sealed to; none when a passphrase is to lock it."""
        if self.recipients or not self.key_file:
            return self._checked(self.recipients)
        try:
            return self._checked((age.recipient_of(Path(self.key_file).expanduser()),))
        except (OSError, age.AgeError) as error:
            raise self._fault(_unreadable(self.key_file, error), "set `recipients`") from None

    def _checked(self, recipients: tuple[str, ...]) -> tuple[str, ...]:
        age.refuse_wrong(recipients, self.place)
        return recipients

    def _open_with_key(self, key: str) -> str:
        file = os.environ.get(KEY_FILE) or self.key_file
        if not file:
            raise self._fault("It opens with a key, and none is set.", f"set key_file, or {KEY_FILE}")
        return age.decrypt(key, self._identities(file)).decode()

    def _identities(self, file: str | Path) -> list[age.Identity]:
        try:
            return age.identities(Path(file).expanduser().read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            hint = "use a key without a passphrase, such as one of age-keygen, in a file that you alone may read"
            raise self._fault(_unreadable(file, error), hint) from None

    def _fault(self, what: str, hint: str) -> SecretsError:
        return SecretsError(Fault(self.place, what, hint))


def ask_passphrase(place: str, variable: str, prompt: str = "Passphrase") -> str:
    """Return the passphrase: from the file or the variable that CI sets, else from the terminal."""
    file = os.environ.get(f"{variable}_FILE")
    passphrase = _read_passphrase(Path(file), place) if file else os.environ.get(variable, "")
    if not passphrase and not sys.stdin.isatty():
        hint = f"set {variable}_FILE to a file with it, or {variable}"
        raise SecretsError(Fault(place, "Its passphrase is needed, and there is no terminal to ask at.", hint))
    passphrase = passphrase or getpass(f"{prompt} of {place}: ")
    redactor.add(passphrase)
    return passphrase


def new_passphrase(place: str, variable: str) -> str:
    """Return a passphrase that is to be; whoever types it types it twice. Raises `SecretsError`."""
    passphrase = ask_passphrase(place, variable, "New passphrase")
    if len(passphrase) < SHORTEST:
        what = f"The passphrase has fewer than {SHORTEST} characters."
        raise SecretsError(Fault(place, what, "choose a longer one, such as five words drawn by lot"))
    from_environment = any(os.environ.get(name) for name in (variable, f"{variable}_FILE"))
    if not from_environment and getpass("Once more: ") != passphrase:
        raise SecretsError(Fault(place, "The two passphrases differ.", "try again"))
    return passphrase


def _read_passphrase(path: Path, place: str) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SecretsError(Fault(place, _unreadable(path, error), "set it to a file that you may read")) from None


def _unreadable(path: str | Path, error: Exception) -> str:
    if isinstance(error, age.AgeError):
        return f"{str(error).rstrip('.')}: {path}."
    return f"{path} cannot be read ({getattr(error, 'strerror', None) or 'it is not text'})."
