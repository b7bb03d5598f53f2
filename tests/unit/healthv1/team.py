"""A team's own folder: recorded hosts whose secrets are in an encrypted file. No server, no root."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from healthv1.secrets import age
from healthv1.secrets.file import EncryptedFile

REPOSITORY = Path(__file__).parents[3]


class Team:
    """A team's folder, whose recorded hosts have an encrypted file for a backend."""

    def __init__(self, folder):
        self.folder, self.key, self.file = folder, folder / "key", folder / "secrets.age"
        for name in ("inventories", "group_data"):
            shutil.copytree(REPOSITORY / name, folder / name)
        self.key.write_text(age.generate_key())
        self.recipient = age.public_key(self.key.read_text())
        self.settings = folder / "group_data/recorded.py"
        text = self.settings.read_text().replace(
            "healthv1.secrets.rehearsal import Rehearsal", "healthv1.secrets.file import EncryptedFile"
        )
        backend = f'EncryptedFile("secrets.age", key_file="{self.key}", recipients=("{self.recipient}",))'
        self.settings.write_text(text.replace("Rehearsal()", backend))

    def argv(self, *arguments):
        return [sys.executable, "-m", "healthv1", *arguments]

    def run(self, *arguments, stdin="", **environment):
        return subprocess.run(
            self.argv(*arguments),
            cwd=self.folder,
            env={**os.environ, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def must(self, *arguments, **options):
        done = self.run(*arguments, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, *arguments, **options):
        """It ends with 1, changes nothing, shows no value, and says why."""
        before = self.file.read_bytes() if self.file.exists() else None
        done = self.run(*arguments, **options)
        assert done.returncode == 1, done.stdout + done.stderr
        assert (self.file.read_bytes() if self.file.exists() else None) == before
        assert "Traceback" not in done.stderr
        self.shows_no_value(done)
        return done.stderr

    def entry(self, name):
        return EncryptedFile(self.file, key_file=self.key).entry(name)

    def shows_no_value(self, done):
        for name in EncryptedFile(self.file, key_file=self.key).names():
            for kept in self.entry(name).versions:
                assert kept.value not in done.stdout + done.stderr
