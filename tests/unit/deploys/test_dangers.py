"""What could lose or betray data if it were done otherwise: written, marked, kept aside, and told to PostgreSQL."""

import stat
import subprocess

import pytest

from deploys.before import keep_aside
from deploys.cluster import Cluster
from deploys.credentials import scram
from deploys.facts.cluster import ClusterAnswer
from deploys.facts.role import RoleState
from deploys.marks import mark
from deploys.operations.files import _LINK, _MAKE_DIRECTORY, _WRITE
from deploys.operations.roles import NO_LOGGING, NO_POWERS, drop_old_logins, group_role, login_roles, role
from deploys.paths import BEFORE, MARKS
from deploys.stack import Stack
from tests.unit.asked import asked
from tests.unit.known import Known, value

CLUSTER = Cluster(17, 5432)


def shell(script, *arguments, stdin="", path=None):
    environment = {"PATH": f"{path}:/usr/bin:/bin" if path else "/usr/sbin:/usr/bin:/sbin:/bin"}
    argv = ["sh", "-c", script, "test", *map(str, arguments)]
    return subprocess.run(argv, input=stdin, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def bin_(tmp_path):
    """A folder of programs that note their names and words in `log`, and do as they do."""

    def noting(*names):
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in names:
            (folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/log\nexec /usr/bin/{name} "$@"\n')
            (folder / name).chmod(0o755)
        return folder

    return noting


def _log(tmp_path):
    return (tmp_path / "log").read_text().splitlines()


@pytest.mark.parametrize("sent", ["", "the first ha", "the first half\nthe secon"])
def test_content_that_arrives_short_never_replaces_the_old_file(tmp_path, owner, sent):
    path, text = tmp_path / "place/x.conf", "the first half\nthe second half\n"
    path.parent.mkdir()
    path.write_text("old\n")
    arguments = (path, len(text), "0644", owner["user"], owner["group"], "", "", "", "ours")
    done = shell(_WRITE, *arguments, stdin=sent)
    assert (done.returncode, done.stderr) == (1, f"{path}: the content did not arrive whole\n")
    assert path.read_text() == "old\n"
    assert list(path.parent.iterdir()) == [path]
    assert shell(_WRITE, *arguments, stdin=text).returncode == 0
    assert path.read_text() == text


def test_a_file_is_on_the_disk_before_it_takes_the_old_ones_place(tmp_path, owner, bin_):
    path = tmp_path / "x.conf"
    path.write_text("old\n")
    arguments = (path, 4, "0644", owner["user"], owner["group"], "", "", "", "ours")
    assert shell(_WRITE, *arguments, stdin="new\n", path=bin_("sync", "mv")).returncode == 0
    assert [line.split()[0] for line in _log(tmp_path)] == ["sync", "mv"]
    assert _log(tmp_path)[0].endswith("/x.conf")
    assert path.read_text() == "new\n"


def test_a_mark_is_on_the_disk_before_the_thing_is_made(tmp_path, bin_):
    done = shell(f"set -eu\n{mark('cluster', 'health')}".replace(MARKS, f"{tmp_path}/ours"), path=bin_("mv", "sync"))
    assert done.returncode == 0
    assert [line.split()[0] for line in _log(tmp_path)] == ["mv", "sync"]
    assert _log(tmp_path)[1] == f"sync -f {tmp_path}/ours"


def test_a_copy_is_on_the_disk_before_it_has_its_name_and_before_anything_is_replaced(tmp_path, bin_):
    path = tmp_path / "theirs"
    path.write_text("the only copy\n")
    script = keep_aside("file x", [str(path)]).replace(BEFORE, f"{tmp_path}/before")
    assert shell(f"set -eu\n{script}\nrm {path}", path=bin_("sync", "mv", "rm")).returncode == 0
    told = [line for line in _log(tmp_path) if line.startswith(("sync", "mv", f"rm {path}"))]
    assert [line.split()[0] for line in told] == ["sync", "mv", "sync", "rm"]
    assert told[0].startswith(f"sync -f {tmp_path}/before/.new.")
    assert told[2] == f"sync -f {tmp_path}/before"


@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_what_could_not_be_kept_aside_stays_and_what_was_is_replaced(tmp_path, owner, kind):
    path, copy = tmp_path / "place/x", tmp_path / "copy"
    path.parent.mkdir()
    path.write_text("the only copy\n")
    rights = (owner["user"], owner["group"])

    def take(aside):
        return {
            "file": lambda: shell(_WRITE, path, 5, "0644", *rights, "", "", aside, "ours", stdin="ours\n"),
            "link": lambda: shell(_LINK, path, "/etc/hostname", aside),
            "directory": lambda: shell(_MAKE_DIRECTORY, path, "0755", *rights, aside, "", "ours"),
        }[kind]()

    assert take("exit 3").returncode != 0
    assert (path.is_symlink(), path.read_text()) == (False, "the only copy\n")
    assert take(f"cp {path} {copy}").returncode == 0
    assert copy.read_text() == "the only copy\n"
    assert {"file": path.is_file() and not path.is_symlink(), "link": path.is_symlink(), "directory": path.is_dir()}[
        kind
    ]


def test_half_a_copy_is_none_and_nobody_but_root_may_look_at_a_whole_one(tmp_path):
    path, before, bin_ = tmp_path / "theirs", tmp_path / "before", tmp_path / "bin"
    path.write_text("the only copy\n")
    script = keep_aside("file x", [str(path)]).replace(BEFORE, str(before))
    bin_.mkdir()
    (bin_ / "tar").write_text('#!/bin/sh\ncase $* in *-xpf*) exit 2;; esac\nexec /usr/bin/tar "$@"\n')
    (bin_ / "tar").chmod(0o755)
    assert shell(script, path=bin_).returncode != 0
    assert (path.read_text(), list(before.iterdir())) == ("the only copy\n", [])
    (bin_ / "tar").unlink()
    assert shell(script, path=bin_).returncode == 0
    assert [stat.S_IMODE(one.stat().st_mode) for one in (before, *before.iterdir())] == [0o700, 0o700]


def _password(*numbers):
    return Stack(domain="api.example.com").bind(Known(numbers)).database_password


def _stood(name, **changed):
    """Return what a cluster says of a role that logs in with another password."""
    return {"name": name, "login": True, **NO_POWERS, "salt": "SCRAM-SHA-256$4096:AAAA", "digest": "another", **changed}


@pytest.mark.parametrize("found", [[], ["u", "u_a", "u_b"]], ids=["new", "known"])
def test_no_verifier_is_told_to_a_session_that_may_log_it(found):
    facts = {RoleState: ClusterAnswer("up", tuple(_stood(name) for name in found))}
    told = [
        *asked(role, CLUSTER, "u", _password(1), facts=facts).commands,
        *asked(login_roles, CLUSTER, "u", _password(1, 2), facts=facts).commands,
        *asked(group_role, CLUSTER, "u", facts={RoleState: ClusterAnswer("up")}).commands,
        *asked(drop_old_logins, CLUSTER, "u", _password(1), "health", "owner", facts=facts).commands,
    ]
    statements = [command.connector_arguments["_stdin"] for command in told]
    secret = [text for text in statements if "SCRAM-SHA-256" in text]
    assert len(secret) == 3
    assert all(text.startswith(NO_LOGGING) for text in secret)
    assert not any(value("database_password", number) in text for number in (1, 2) for text in statements)
    for setting in ("log_statement = 'none'", "log_min_duration_statement = -1", "log_min_error_statement = 'panic'"):
        assert f"set {setting}" in NO_LOGGING


def test_a_verifier_takes_an_attacker_as_many_rounds_as_postgresql_makes_of_its_own_and_has_a_salt_of_its_own():
    made = [scram.verifier("a password") for _ in range(2)]
    assert {text.partition(":")[0] for text in made} == {"SCRAM-SHA-256$4096"}
    assert len({text.split("$")[1] for text in made}) == 2
