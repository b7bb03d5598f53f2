"""Signatures of hosts under their drills, verified by ssh-keygen against the keys that we pinned.

The pins are an "allowed signers" file of ssh-keygen(1): whoever has it verifies a drill without us. It lies beside the
known_hosts file that the inventory names for a host; else in the project, to be committed: colleagues and pipelines
then know the same keys, and the repository tells who changed one.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from healthv1.errors import Fault, Refused
from healthv1.workspace import atomic_files, project

NAMESPACE = "healthv1-drill"
FILE = "drill_signers"
HEADER = """# The keys with which hosts sign restore drills: each was pinned when it was first seen. Commit this file.
# ssh-keygen -Y verify -f THIS -I ENV/HOST -n healthv1-drill -s DRILL.sig < DRILL.json
"""


class Pins:
    """The pinned key of one host."""

    def __init__(self, environment: str, host: str, known_hosts: str = "") -> None:
        self.principal = f"{environment}/{host}"
        self.file = Path(known_hosts).expanduser().parent / FILE if known_hosts else project.root() / "drills" / FILE

    @property
    def key(self) -> str:
        """Return the pinned public key; empty when there is none."""
        lines = (line.split(maxsplit=2) for line in self._lines())
        return next((words[2] for words in lines if len(words) == 3 and words[0] == self.principal), "")

    def pin(self, key: str) -> bool:
        """Pin a key, unless one is pinned. Return whether it was. Raises `Refused` when the file cannot be written."""
        if self.key:
            return False
        try:
            with atomic_files.folder_locked(self.file):
                text = "\n".join([*(self._lines() or HEADER.splitlines()), self._line(key), ""])
                atomic_files.replace(self.file, text, mode=0o644)
        except OSError as error:
            what = f"The key of {self.principal} cannot be pinned: {error.strerror}."
            raise Refused(Fault(str(self.file), what, "make its folder writable")) from None
        return True

    def verifies(self, text: str, signature: str) -> bool:
        """Whether the pinned key signed a text. Raises `Refused` where there is no ssh-keygen."""
        with tempfile.TemporaryDirectory(prefix="healthv1-drill.") as folder:
            file = Path(folder) / "signature"
            file.write_text(signature, encoding="utf-8")
            argv = ["ssh-keygen", "-q", "-Y", "verify", "-f", str(self.file), "-I", self.principal]
            argv += ["-n", NAMESPACE, "-s", str(file)]
            try:
                done = subprocess.run(argv, input=text.encode(), capture_output=True, check=False, timeout=30)
            except FileNotFoundError:
                raise Refused(Fault("ssh-keygen", "It is not installed here.", "apt install openssh-client")) from None
        return done.returncode == 0

    def _lines(self) -> list[str]:
        return self.file.read_text(encoding="utf-8").splitlines() if self.file.is_file() else []

    def _line(self, key: str) -> str:
        return f'{self.principal} namespaces="{NAMESPACE}" {" ".join(key.split()[:2])}'
