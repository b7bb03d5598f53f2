"""The bundled release: named without building, built once, whole or not there."""

import re
import shutil
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path

import pytest

from healthv1.errors import ReleaseError
from healthv1.release import wheels
from healthv1.release.bundle import Bundled, cache

REPOSITORY = Path(__file__).parents[3]
LOCK = """\
always==1 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
backport==2.0 ; python_full_version < '3.11.3' \\
    --hash=sha256:cc
machine==3 ; platform_machine == 'aarch64' or platform_machine == 'x86_64' \\
    --hash=sha256:dd
windows==4 ; sys_platform == 'win32' \\
    --hash=sha256:ee
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HEALTHV1_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def source(tmp_path):
    """A copy of the API's sources whose dependencies are none: it is built without an index."""
    copy = tmp_path / "api"
    shutil.copytree(REPOSITORY / "healthv1_api", copy, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    (copy / "requirements.lock").write_text("")
    project = (copy / "pyproject.toml").read_text()
    (copy / "pyproject.toml").write_text(
        re.sub(r"dependencies = \[.*?\n\]", "dependencies = []", project, flags=re.DOTALL)
    )
    return copy


@pytest.fixture
def downloads(monkeypatch):
    """Let nothing be downloaded; return how often it was wanted."""
    wanted = []
    monkeypatch.setattr(wheels, "download", lambda *_: wanted.append(1))
    return wanted


def _pins(python, architecture="x86_64"):
    return [line.split()[0] for line in wheels.requirements(LOCK, python, architecture)]


@pytest.mark.parametrize(("line", "what"), [("always==", "always== is no requirement"), ("always==1\n", "has no hash")])
def test_a_line_of_the_lock_that_could_be_read_wrong_is_named(line, what):
    with pytest.raises(ReleaseError, match=what):
        list(wheels.requirements(LOCK + line, "3.13", "x86_64"))


def test_a_comment_and_an_extra_are_read_as_pip_reads_them():
    lock = "# made by a tool\nalways[all]==1 ; python_version > '3' \\\n    --hash=sha256:aa\n    # via nobody\n"
    assert list(wheels.requirements(lock, "3.13", "x86_64")) == ["always[all]==1 --hash=sha256:aa\n"]


def test_the_wheels_are_those_that_the_hosts_python_needs_not_the_operators():
    assert _pins("3.10") == ["always==1", "backport==2.0", "machine==3"]
    assert _pins("3.13") == ["always==1", "machine==3"]


def test_a_wheel_that_some_last_digit_of_the_version_needs_is_taken_along():
    assert "backport==2.0" in _pins("3.11")


def test_each_pin_keeps_all_its_hashes():
    first = next(wheels.requirements(LOCK, "3.13", "x86_64"))
    assert first.count("--hash=sha256:") == 2


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_no_requirement_of_the_real_lock_is_overlooked(python):
    lock = (REPOSITORY / "healthv1_api/requirements.lock").read_text()
    pinned = {line.split()[0] for line in lock.splitlines() if "==" in line and not line.startswith(" ")}
    taken = {line.split()[0] for line in wheels.requirements(lock, python, "x86_64")}
    elsewhere = {pin.partition("==")[0] for pin in pinned - taken}
    assert elsewhere <= {"tzdata", "async-timeout", "exceptiongroup", "tomli"}
    assert ("tomli" in elsewhere) == (python != "3.10")


def test_a_version_follows_from_the_sources_and_the_host(source):
    first = Bundled(source).version("3.13", "x86_64")
    assert first.startswith("0.1.0-")
    assert first == Bundled(source).version("3.13", "x86_64")
    others = {Bundled(source).version("3.11", "x86_64"), Bundled(source).version("3.13", "aarch64")}
    (source / "src/healthv1_api/__pycache__").mkdir()
    (source / "src/healthv1_api/__pycache__/x.pyc").write_text("x")
    assert Bundled(source).version("3.13", "x86_64") == first
    for file in ("src/healthv1_api/seed.py", "requirements.lock", "pyproject.toml"):
        (source / file).write_text((source / file).read_text() + "\n# changed\n")
        others.add(Bundled(source).version("3.13", "x86_64"))
    assert len(others | {first}) == 6


def test_a_version_costs_nothing_and_leaves_nothing(source, downloads):
    Bundled(source).version("3.13", "x86_64")
    assert not cache().exists()
    assert downloads == []


def test_an_archive_holds_the_api_and_is_built_once(source, downloads):
    path = Bundled(source).archive("3.13", "x86_64")
    with tarfile.open(path) as archive:
        files = {entry.name: entry for entry in archive}
        assert archive.extractfile("venv/bin/healthv1-api").read().startswith(b"#!python -I\n")
    assert files["venv/bin/python"].linkname == "/usr/bin/python3"
    assert files["venv/bin/healthv1-api"].mode == 0o755
    assert "venv/lib/python3.13/site-packages/healthv1_api/__main__.py" in files
    assert {name.split("/")[1] for name in files} == {"bin", "lib", "pyvenv.cfg"}
    assert Bundled(source).archive("3.13", "x86_64") == path
    assert len(downloads) == 1
    assert sorted(one.suffix for one in path.parent.iterdir()) == [".gz", ".lock"]
    assert not (source / "build").exists()


def test_the_same_sources_give_the_same_bytes_wherever_they_are_built(source, downloads, monkeypatch, tmp_path):
    first = Bundled(source).archive("3.13", "x86_64").read_bytes()
    monkeypatch.setenv("HEALTHV1_CACHE", str(tmp_path / "another"))
    assert Bundled(source).archive("3.13", "x86_64").read_bytes() == first


def test_a_dependency_that_the_lock_forgot_is_named_before_anything_is_sent(source, downloads):
    project = source / "pyproject.toml"
    project.write_text(project.read_text().replace("dependencies = []", 'dependencies = ["redis>=6"]'))
    with pytest.raises(ReleaseError, match=r"healthv1-api needs redis.*, and nothing is in it"):
        Bundled(source).archive("3.13", "x86_64")
    assert not list(cache().glob("*.tar.gz"))


def test_what_a_killed_build_left_is_thrown_away(source, downloads):
    version = Bundled(source).version("3.13", "x86_64")
    rest = cache() / f"{version}.building/wheels"
    rest.mkdir(parents=True)
    (rest / "half.whl").write_text("half")
    with tarfile.open(Bundled(source).archive("3.13", "x86_64")) as archive:
        assert not [name for name in archive.getnames() if "half" in name]
    assert not rest.parent.exists()


def test_processes_that_want_it_at_once_build_it_once(source, tmp_path):
    script = f"""
        from pathlib import Path
        from healthv1.release import wheels; from healthv1.release import Bundled
        wheels.download = lambda *_: None
        build = wheels.build
        wheels.build = lambda *arguments: (print("built"), build(*arguments))
        print(Bundled(Path({str(source)!r})).archive("3.13", "x86_64"))
    """
    argv = [sys.executable, "-c", textwrap.dedent(script)]
    running = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) for _ in range(3)]
    printed = [line for process in running for line in process.communicate(timeout=60)[0].split()]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert printed.count("built") == 1
    assert len(set(printed)) == 2


def test_greenlets_of_one_process_wait_for_each_other_without_blocking_it(source, tmp_path):
    """Two hosts are served by one thread: a lock that blocks it would never be given back."""
    script = f"""
        from gevent import monkey; monkey.patch_all()
        import gevent; from pathlib import Path
        from healthv1.release import wheels; from healthv1.release import Bundled
        wheels.download = lambda *_: None
        both = [gevent.spawn(Bundled(Path({str(source)!r})).archive, "3.13", "x86_64") for _ in range(2)]
        gevent.joinall(both, timeout=40, raise_error=True)
        assert all(one.value and one.value.exists() for one in both)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=60, cwd=REPOSITORY)


def test_what_pip_complains_about_is_passed_on_and_nothing_is_left(source, downloads):
    (source / "pyproject.toml").write_text('[project]\nversion = "0.1.0"\nname = 5\n')
    with pytest.raises(ReleaseError) as refusal:
        Bundled(source).archive("3.13", "x86_64")
    fault = refusal.value.faults[0]
    assert fault.where == "pip wheel"
    assert "error" in fault.what.lower()
    assert fault.hint
    assert [one.suffix for one in cache().iterdir()] == [".lock"]


def test_an_index_without_the_wheels_is_a_fault_and_no_archive(source, monkeypatch):
    (source / "requirements.lock").write_text(LOCK)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(ReleaseError, match="always==1"):
        Bundled(source).archive("3.13", "x86_64")
    assert not list(cache().glob("*.tar.gz"))


def test_a_cache_that_cannot_be_written_is_named(source, monkeypatch):
    monkeypatch.setenv("HEALTHV1_CACHE", "/proc/nowhere")
    with pytest.raises(ReleaseError, match="/proc/nowhere") as refusal:
        Bundled(source).archive("3.13", "x86_64")
    assert "HEALTHV1_CACHE" in refusal.value.faults[0].hint


def test_sources_that_changed_since_the_release_was_named_are_not_built_under_that_name(source, downloads):
    release = Bundled(source)
    version = release.version("3.13", "x86_64")
    (source / "src/healthv1_api/health.py").write_text("# edited meanwhile\n")
    with pytest.raises(ReleaseError, match="changed after the release got its name"):
        release.archive("3.13", "x86_64")
    assert not (cache() / f"{version}.tar.gz").exists()
    assert Bundled(source).archive("3.13", "x86_64").name != f"{version}.tar.gz"
