"""The package installed as on a host: its wheel, and exactly the locked dependencies, by hash."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from fcntl import LOCK_EX, flock
from pathlib import Path

PACKAGE = Path(__file__).parents[2]
CACHE = PACKAGE.parent / ".cache" / "healthv1-api-tests"


def installed_command() -> Path:
    venv = CACHE / f"venv-{sys.version_info.major}.{sys.version_info.minor}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        flock(lock, LOCK_EX)  # of several workers, one installs
        _once(venv / "locked", _digest([PACKAGE / "requirements.lock"]), lambda: _dependencies(venv))
        sources = sorted((PACKAGE / "src").rglob("*.py"))
        _once(venv / "installed", _digest([PACKAGE / "pyproject.toml", *sources]), lambda: _wheel(venv))
    return venv / "bin" / "healthv1-api"


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(PACKAGE)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def _once(stamp: Path, wanted: str, work) -> None:
    if not stamp.exists() or stamp.read_text() != wanted:
        work()
        stamp.write_text(wanted)


def _dependencies(venv: Path) -> None:
    _run(sys.executable, "-m", "venv", "--clear", str(venv))
    _pip(venv, "--require-hashes", "--only-binary=:all:", "-r", str(PACKAGE / "requirements.lock"))


def _wheel(venv: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        tree = Path(temporary) / "tree"
        tree.mkdir()
        for file in ("pyproject.toml", "README.md"):
            shutil.copy(PACKAGE / file, tree)
        shutil.copytree(PACKAGE / "src", tree / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
        how = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", temporary]
        _run(sys.executable, "-m", "pip", "wheel", *how, str(tree))
        (wheel,) = Path(temporary).glob("*.whl")
        _pip(venv, "--no-deps", "--no-index", "--force-reinstall", str(wheel))


def _pip(venv: Path, *arguments: str) -> None:
    _run(str(venv / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *arguments)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}:\n{done.stderr}")
