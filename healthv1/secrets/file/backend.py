"""Secrets in one encrypted text file of the team's repository, replaced as a whole, block by block checked and set."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

from healthv1.errors import Fault, SecretsError
from healthv1.output.redaction import redactor
from healthv1.secrets import age
from healthv1.secrets.backend import Backend
from healthv1.secrets.entry import Entry
from healthv1.secrets.file import committed
from healthv1.secrets.file.document import NAME, MalformedError, SecretsDocument
from healthv1.secrets.file.opening import NEW_PASSPHRASE, FileOpening, new_passphrase
from healthv1.signals import changes_begin
from healthv1.workspace import project
from healthv1.workspace.atomic_files import folder_locked, replace


class EncryptedFile(Backend[str]):
    """The file `path`, relative to the project's root. What was read of a secret, its block, is its revision.

    It opens with the private key in `key_file` or HEALTHV1_KEY_FILE when it is sealed to `recipients` (age or SSH
    public keys), else with a passphrase: from HEALTHV1_PASSPHRASE_FILE or HEALTHV1_PASSPHRASE, or asked for.
    """

    def __init__(self, path: str | Path, key_file: str | Path | None = None, recipients: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._path = path
        self._opening = FileOpening(str(self), key_file, tuple(key.strip() for key in recipients))
        self._asking = Lock()  # those who read side by side ask for one passphrase
        self._keys = _opened_keys
        self._refused: dict[str, tuple[Fault, ...]] = {}
        self._passphrase = ""

    def __str__(self) -> str:
        return f"file:{self._path}"

    def names(self) -> tuple[str, ...]:
        document = self._document()
        return tuple(sorted(document.blocks)) if document else ()

    def sealed_to(self) -> tuple[str, ...]:
        """Return the public keys that the file was sealed to; none when a passphrase opens it, or it is not there."""
        document = self._document()
        lines = self._opened(document.key).splitlines() if document else []
        start = "# opens with: "
        return tuple(line.removeprefix(start) for line in lines if line.startswith(start))

    def restore_hint(self) -> str:
        path = self._absolute()
        return "" if path.exists() else committed.restore_hint(path, self.environment)

    def self_checks(self) -> Iterator[tuple[str, bool, str]]:
        matches = set(self.sealed_to()) == set(self._opening.openers())
        yield "Those who are to open it can, and nobody else", matches, f"healthv1 secrets rekey {self.environment}"

    def rekey(self) -> None:
        """Give the file a new key, and that to the recipients that are set now, else to a new passphrase.

        Who could open it before reads nothing that is written from now on; what they have read stays known to them.
        Raises `SecretsError`.
        """
        document = self._document()
        if document is None:
            raise SecretsError(
                Fault(str(self), "It is not there yet.", f"make it: healthv1 secrets init {self.environment}")
            )
        entries = {name: self._decrypted(document, name).as_document() for name in document.blocks}
        renewed = self._new("" if self._opening.openers() else new_passphrase(str(self), NEW_PASSPHRASE))
        for name, entry in entries.items():
            renewed = renewed.with_block(name, self._block(renewed.key, name, entry))
        if not self._replace(lambda current: renewed if current == document else None):
            raise SecretsError(Fault(str(self), "Somebody else wrote to it meanwhile.", "try again"))

    def forget(self) -> None:
        super().forget()
        self._refused.clear()

    def _connect(self) -> None:
        document = self._document()
        if document and document.blocks:
            self._private(document.key)

    def _fetch(self, name: str) -> tuple[Entry | None, str]:
        document = self._document()
        block = _block(document, name)
        return (self._decrypted(document, name), block) if document and block else (None, "")

    def _put(self, name: str, entry: Entry, revision: str) -> bool:
        if not NAME.fullmatch(name):
            what = "A secret's name has letters, digits and . _ - alone."
            raise SecretsError(Fault(f"{self}#{name}", what, "choose another name"))
        seen = self._document()
        start = seen or self._new(self._passphrase)
        block = self._block(start.key, name, entry.as_document())

        def put(current: SecretsDocument | None) -> SecretsDocument | None:
            is_unchanged = _key(current) == _key(seen) and _block(current, name) == revision
            return (current or start).with_block(name, block) if is_unchanged else None

        return self._replace(put)

    def _new(self, passphrase: str) -> SecretsDocument:
        private = age.generate_key()
        redactor.add(private)
        key, self._passphrase = self._opening.close(private, passphrase)
        self._keys[key] = self._opening.contents(private)
        return SecretsDocument(key, {})

    def _block(self, key: str, name: str, entry: dict[str, Any]) -> str:
        plain = json.dumps({"name": name, "entry": entry}, ensure_ascii=False)
        return age.encrypt(plain.encode(), [age.public_key(self._private(key))])

    def _decrypted(self, document: SecretsDocument, name: str) -> Entry:
        identities = age.identities(self._private(document.key))
        try:
            block = json.loads(age.decrypt(document.blocks[name], identities))
            if block["name"] != name:
                raise self._unreadable_block(name, "It is the block of another secret.")
            return Entry.from_document(block["entry"])
        except age.AgeError as error:
            raise self._unreadable_block(name, f"{error}.") from None
        except (KeyError, TypeError, ValueError):
            raise self._unreadable_block(name, "What the file holds there is not what we keep.") from None

    def _unreadable_block(self, name: str, what: str) -> SecretsError:
        return SecretsError(
            Fault(f"{self}#{name}", what, f"bring back the block of an older commit: git log {self._path}")
        )

    def _private(self, key: str) -> str:
        return _private(self._opened(key))

    def _opened(self, key: str) -> str:
        with self._asking:
            if key in self._refused:  # whoever mistyped it is not asked again for each host
                raise SecretsError(*self._refused[key])
            if key not in self._keys:
                self._open(key)
            return self._keys[key]

    def _open(self, key: str) -> None:
        try:
            self._keys[key], self._passphrase = self._opening.open(key, self._passphrase)
        except SecretsError as error:
            self._refused[key] = error.faults
            raise
        redactor.add(_private(self._keys[key]))

    def _document(self) -> SecretsDocument | None:
        path = self._absolute()
        try:
            return SecretsDocument.parsed(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except MalformedError as error:
            raise SecretsError(Fault(f"{self}:{error.line}", error.what, error.hint)) from None
        except UnicodeDecodeError:
            raise SecretsError(Fault(str(self), "It is no secrets file of ours.", "choose another path")) from None
        except OSError as error:
            raise SecretsError(Fault(str(self), f"It cannot be read ({error.strerror}).", "mend that")) from None

    def _replace(self, change: Callable[[SecretsDocument | None], SecretsDocument | None]) -> bool:
        """Write what `change` makes of the file as it is now, while nobody else can; None says that it is too late."""
        path = self._absolute()
        try:
            with folder_locked(path):
                changed = change(self._document())
                if changed:
                    changes_begin()
                    replace(path, changed.text())
        except OSError as error:
            what = f"It cannot be written ({error.strerror}); it is as it was."
            raise SecretsError(Fault(str(self), what, "mend that, and run again")) from None
        return changed is not None

    def _absolute(self) -> Path:
        return project.root() / Path(self._path).expanduser()


_opened_keys: dict[str, str] = {}
"""What each encrypted key holds, for the whole command: it takes seconds to open one, and may ask for a passphrase."""


def _key(document: SecretsDocument | None) -> str:
    return document.key if document else ""


def _block(document: SecretsDocument | None, name: str) -> str:
    return document.blocks.get(name, "") if document else ""


def _private(contents: str) -> str:
    return next(line for line in contents.splitlines() if line.startswith(age.PRIVATE))
