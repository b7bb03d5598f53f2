"""Wheels for a host's Python, which need not be the operator's: downloaded by their hashes, built, and packed."""

from __future__ import annotations

import gzip
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement

from healthv1.errors import Fault, ReleaseError

GLIBC = range(5, 36)
"""Every manylinux that a supported host can load: the oldest, Ubuntu 22.04, has glibc 2.35."""


def download(lock: Path, into: Path, python: str, architecture: str) -> None:
    """Fetch every dependency of `lock` that a Linux host may need, as a wheel. Raises `ReleaseError`."""
    requirements_file = into.parent / "requirements.txt"
    requirements_file.write_text(
        "".join(requirements(lock.read_text(encoding="utf-8"), python, architecture)), encoding="utf-8"
    )
    platforms = [f"--platform=manylinux_2_{minor}_{architecture}" for minor in reversed(GLIBC)]
    platforms += [f"--platform={name}_{architecture}" for name in ("manylinux2014", "manylinux2010", "manylinux1")]
    target = ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}", *platforms]
    _pip("download", *target, "--no-deps", "--require-hashes", f"--dest={into}", f"--requirement={requirements_file}")


def requirements(lock: str, python: str, architecture: str) -> Iterator[str]:
    """Yield the pins whose markers hold on a host with that Python, whatever its last digit is.

    pip judges markers by the interpreter that it runs in, even when it downloads for another (pypa/pip#11010).

    Raises `ReleaseError` for a line that is no requirement, or has no hash.
    """
    host = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": architecture}
    host |= {"implementation_name": "cpython", "platform_python_implementation": "CPython", "python_version": python}
    versions = [host | {"python_full_version": f"{python}.{last}"} for last in (0, 99)]
    for line in lock.replace("\\\n", " ").splitlines():
        words, *hashes = line.partition(" #")[0].split(" --hash=")
        if not words.strip() or words.startswith("#"):
            continue
        requirement, marker = _read(words.strip(), hashes)
        if marker is None or any(marker.evaluate(dict(version)) for version in versions):
            yield " ".join((str(requirement), *(f"--hash={digest.strip()}" for digest in hashes))) + "\n"


def _read(words: str, hashes: list[str]) -> tuple[Requirement, Marker | None]:
    """Return a requirement without its marker, and the marker."""
    hint = "write the lock anew: uv pip compile --generate-hashes pyproject.toml"
    try:
        requirement = Requirement(words)
    except InvalidRequirement as error:
        raise ReleaseError(Fault("requirements.lock", f"{words} is no requirement: {error}.", hint)) from None
    if not hashes:
        raise ReleaseError(Fault("requirements.lock", f"{words} has no hash.", hint))
    marker, requirement.marker = requirement.marker, None
    return requirement, marker


def build(source: Path, into: Path) -> None:
    """Make a wheel of `source` with the setuptools that the toolkit itself has. Raises `ReleaseError`."""
    _pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", f"--wheel-dir={into}", str(source))


def pack(wheels: Path, path: Path) -> None:
    """Write the same bytes for the same wheels."""
    with gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for wheel in sorted(wheels.iterdir()):
            info = tarfile.TarInfo(wheel.name)
            info.size, info.mode = wheel.stat().st_size, 0o644
            with wheel.open("rb") as content:
                tar.addfile(info, content)
            time.sleep(0)  # lets others go on, among them who renews the lock


def _pip(verb: str, *arguments: str) -> None:
    argv = [sys.executable, "-m", "pip", verb, "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        words = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-5:])
        hint = "check the connection to your package index, and pip's configuration: pip config list"
        raise ReleaseError(Fault(f"pip {verb}", f"The release could not be built:\n{words}", hint))
