"""The bundled API as a release: every dependency as a wheel for the host's Python, so that a host needs no index."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from functools import cached_property
from pathlib import Path

from healthv1.errors import Fault, ReleaseError

# Oldest glibc of a supported host is 2.35 (Ubuntu 22.04): any manylinux up to it can be installed there.
GLIBC = range(17, 36)


def cache() -> Path:
    default = "/var/cache/healthv1" if os.geteuid() == 0 else str(Path.home() / ".cache/healthv1")
    return Path(os.environ.get("HEALTHV1_CACHE", default)) / "releases"


class Bundled:
    """The API package that comes with the toolkit."""

    def __init__(self, source: Path = Path(__file__).parents[1] / "healthv1_api") -> None:
        self._source = source

    def __repr__(self) -> str:
        return "Bundled()"

    def version(self, python: str, architecture: str) -> str:
        """Return the release's name, which follows from its sources: "0.1.0-3f2a9c1b04de". Nothing is built."""
        digest = hashlib.sha256(f"{self._digest} {python} {architecture}".encode())
        return f"{self._number}-{digest.hexdigest()[:12]}"

    def archive(self, python: str, architecture: str) -> Path:
        """Return a .tar.gz of wheels, building it unless that was done before. Raises `ReleaseError`."""
        path = cache() / f"{self.version(python, architecture)}.tar.gz"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(path.with_suffix(".lock")):
                if not path.exists():
                    self._build(path, python, architecture)
        return path

    @cached_property
    def _number(self) -> str:
        lines = (self._source / "pyproject.toml").read_text(encoding="utf-8").splitlines()
        return next(line.split('"')[1] for line in lines if line.startswith("version"))

    @cached_property
    def _digest(self) -> str:
        """Of everything that goes into the wheels."""
        digest = hashlib.sha256()
        for path in (self._source / "pyproject.toml", self._source / "requirements.lock", *self._modules()):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(self._source)} {content}\n".encode())
        return digest.hexdigest()

    def _modules(self) -> list[Path]:
        files = (path for path in (self._source / "src").rglob("*") if path.is_file())
        return sorted(path for path in files if "__pycache__" not in path.parts and ".egg-info" not in str(path))

    def _build(self, path: Path, python: str, architecture: str) -> None:
        with tempfile.TemporaryDirectory(dir=path.parent) as work:
            wheels = Path(work) / "wheels"
            _pip("download", *_target(python, architecture), "-r", self._source / "requirements.lock", "-d", wheels)
            # Built from a copy: setuptools leaves folders behind in the sources that it builds from.
            copy = Path(work) / "source"
            for file in (self._source / "pyproject.toml", *self._modules()):
                target = copy / file.relative_to(self._source)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
            _pip("wheel", "--no-deps", "--no-build-isolation", "-w", wheels, copy)
            packed = Path(work) / "release.tar.gz"
            _pack(wheels, packed)
            packed.replace(path)


def _target(python: str, architecture: str) -> Iterator[str]:
    yield from ("--only-binary=:all:", "--no-deps", "--require-hashes", "--implementation", "cp")
    yield from ("--python-version", python)
    for minor in reversed(GLIBC):
        yield from ("--platform", f"manylinux_2_{minor}_{architecture}")
    yield from ("--platform", f"manylinux2014_{architecture}")


def _pip(*arguments: str | Path) -> None:
    argv = [sys.executable, "-m", "pip", *(str(argument) for argument in arguments)]
    argv += ["--quiet", "--disable-pip-version-check"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        words = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise ReleaseError(Fault(f"pip {arguments[0]}", f"The release could not be built:\n{words}", "see pip's words"))


def _pack(wheels: Path, path: Path) -> None:
    """Write the same bytes for the same wheels."""
    with gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for wheel in sorted(wheels.iterdir()):
            info = tarfile.TarInfo(wheel.name)
            info.size, info.mode = wheel.stat().st_size, 0o644
            with wheel.open("rb") as content:
                tar.addfile(info, content)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        flock(handle, LOCK_EX)
        yield
