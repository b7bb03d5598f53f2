"""The bundled API as a release: a folder that a host only has to unpack. It needs no index there, and no pip."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from healthv1.errors import Fault, ReleaseError
from healthv1.flocks import locked
from healthv1.release import tree, wheels

LOCK = "requirements.lock"
ENTRY = ("healthv1-api", "healthv1_api.__main__", "main")
"""The command, and the function that it calls."""


def cache() -> Path:
    """Return where archives are kept: the folder HEALTHV1_CACHE, else this user's own."""
    default = "/var/cache/healthv1" if os.geteuid() == 0 else str(Path.home() / ".cache/healthv1")
    return Path(os.environ.get("HEALTHV1_CACHE") or default) / "releases"


class Bundled:
    """The API package that comes with the toolkit."""

    def __init__(self, source: Path = Path(__file__).parents[2] / "healthv1_api") -> None:
        self._source = source

    def __repr__(self) -> str:
        return "Bundled()"

    def version(self, python: str, architecture: str) -> str:
        """Return the release's name, which follows from its sources: "0.1.0-3f2a9c1b04de". Nothing is built."""
        digest = hashlib.sha256(f"{self._digest} {python} {architecture} {tree.FORMAT}".encode())
        return f"{self._number}-{digest.hexdigest()[:12]}"

    def archive(self, python: str, architecture: str) -> Path:
        """Return a .tar.gz of the release's folder, building it unless that was done before. Raises `ReleaseError`."""
        version = self.version(python, architecture)
        path = cache() / f"{version}.tar.gz"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _build_lock(path.parent / f"{version}.lock"):
                if not path.exists():
                    self._build(path, path.parent / f"{version}.building", python, architecture)
        except OSError as error:
            what = f"The release cannot be kept there ({error.strerror})."
            raise ReleaseError(Fault(str(path.parent), what, "set HEALTHV1_CACHE to a folder with room")) from error
        return path

    @cached_property
    def _number(self) -> str:
        lines = (self._source / "pyproject.toml").read_text(encoding="utf-8").splitlines()
        return next(line.split('"')[1] for line in lines if line.startswith("version"))

    @cached_property
    def _digest(self) -> str:
        return _digest(self._source)

    def _build(self, path: Path, work: Path, python: str, architecture: str) -> None:
        """Build in `work`, which may hold what a killed build left; one rename makes it an archive."""
        shutil.rmtree(work, ignore_errors=True)
        (work / "wheels").mkdir(parents=True)
        try:
            self._copy(work / "source")
            wheels.download(work / "source" / LOCK, work / "wheels", python, architecture)
            wheels.build(work / "source", work / "wheels")
            modules = tree.make(work / "release", python, ENTRY)
            wheels.unpack(work / "wheels", modules, python, architecture)
            tree.pack(work / "release", work / path.name)
            (work / path.name).replace(path)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _copy(self, into: Path) -> None:
        """Copy what goes into the wheels: setuptools leaves folders behind in the sources that it builds from."""
        for file in _files(self._source):
            copy = into / file.relative_to(self._source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        if _digest(into) != self._digest:  # the name of the release follows from it
            what = "It was changed after the release got its name."
            raise ReleaseError(Fault(str(self._source), what, "run the same command again"))


def _files(source: Path) -> list[Path]:
    """Return everything that goes into the wheels."""
    files = (path for path in (source / "src").rglob("*") if path.is_file())
    modules = sorted(path for path in files if "__pycache__" not in path.parts and ".egg-info" not in str(path))
    return [source / LOCK, source / "pyproject.toml", source / "README.md", *modules]


def _digest(source: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(source):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(source)} {content}\n".encode())
    return digest.hexdigest()


@contextmanager
def _build_lock(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle, locked(handle.fileno()):
        yield
