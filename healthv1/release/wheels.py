"""Wheels for a host's Python, which need not be the operator's: downloaded by their hashes, built, and unpacked."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from healthv1.errors import Fault, ReleaseError

GLIBC = range(5, 36)
"""Every manylinux that a supported host can load: the oldest, Ubuntu 22.04, has glibc 2.35."""


def download(lock: Path, into: Path, python: str, architecture: str) -> None:
    """Fetch every dependency of `lock` that a Linux host may need, as a wheel. Raises `ReleaseError`."""
    requirements_file = into.parent / "requirements.txt"
    requirements_file.write_text(
        "".join(requirements(lock.read_text(encoding="utf-8"), python, architecture)), encoding="utf-8"
    )
    pins = f"--requirement={requirements_file}"
    _pip("download", *_for_host(python, architecture), "--no-deps", "--require-hashes", f"--dest={into}", pins)


def _for_host(python: str, architecture: str) -> list[str]:
    platforms = [f"--platform=manylinux_2_{minor}_{architecture}" for minor in reversed(GLIBC)]
    platforms += [f"--platform={name}_{architecture}" for name in ("manylinux2014", "manylinux2010", "manylinux1")]
    return ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}", *platforms]


def requirements(lock: str, python: str, architecture: str) -> Iterator[str]:
    """Yield the pins whose markers hold on a host with that Python, whatever its last digit is.

    pip judges markers by the interpreter that it runs in, even when it downloads for another (pypa/pip#11010).

    Raises `ReleaseError` for a line that is no requirement, or has no hash.
    """
    hosts = _environments(python, architecture)
    for line in lock.replace("\\\n", " ").splitlines():
        words, *hashes = line.partition(" #")[0].split(" --hash=")
        if not words.strip() or words.startswith("#"):
            continue
        requirement, marker = _read(words.strip(), hashes)
        if _applies(marker, hosts):
            yield " ".join((str(requirement), *(f"--hash={digest.strip()}" for digest in hashes))) + "\n"


def _environments(python: str, architecture: str) -> list[dict[str, str]]:
    """Return what markers are judged by: the last digit of a host's Python is not known."""
    host = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": architecture}
    host |= {"implementation_name": "cpython", "platform_python_implementation": "CPython", "python_version": python}
    return [host | {"python_full_version": f"{python}.{last}"} for last in (0, 99)]


def _applies(marker: Marker | None, hosts: Iterable[dict[str, str]], extra: str = "") -> bool:
    return marker is None or any(marker.evaluate(host | {"extra": extra}) for host in hosts)


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


def unpack(wheels: Path, into: Path, python: str, architecture: str) -> None:
    """Lay the modules of every wheel out as a Python of the host's imports them. Raises `ReleaseError`."""
    into.mkdir(parents=True)
    # By name, not by path: pip would note where the wheel lay on this machine.
    pins = ["{}=={}".format(*parse_wheel_filename(wheel.name)[:2]) for wheel in sorted(wheels.iterdir())]
    where = ("--no-index", f"--find-links={wheels}", f"--target={into}")
    _pip("install", *_for_host(python, architecture), "--no-deps", "--no-compile", *where, *pins)
    shutil.rmtree(into / "bin", ignore_errors=True)  # scripts for the operator's own Python
    missing = sorted(_missing(list(distributions(path=[str(into)])), _environments(python, architecture)))
    if missing:
        hint = "write the lock anew: uv pip compile --generate-hashes pyproject.toml"
        raise ReleaseError(*(Fault("requirements.lock", f"{what}.", hint) for what in missing))


def _missing(there: list[Distribution], hosts: list[dict[str, str]]) -> Iterator[str]:
    """Yield what a distribution needs and none provides, as "X needs Y": pip check asks the operator's Python."""
    versions = {canonicalize_name(one.name): one.version for one in there}
    for one in there:
        for needed in map(Requirement, one.requires or ()):
            version = versions.get(canonicalize_name(needed.name))
            if _applies(needed.marker, hosts) and not (version and needed.specifier.contains(version, True)):
                yield f"{one.name} needs {needed.name}{needed.specifier}, and {version or 'nothing'} is in it"


def _pip(verb: str, *arguments: str) -> None:
    argv = [sys.executable, "-m", "pip", verb, "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        words = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-5:])
        hint = "check the connection to your package index, and pip's configuration: pip config list"
        raise ReleaseError(Fault(f"pip {verb}", f"The release could not be built:\n{words}", hint))
