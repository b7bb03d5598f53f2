"""What is not ours is named, kept aside or refused, and never lost."""

import subprocess

import pytest
from pyinfra.context import ctx_host

from deploys.before import keep_aside
from deploys.facts.path import Path as Found
from deploys.facts.whose import OurDirectory, PathOwner
from deploys.foreign import Foreign
from deploys.marks import has_mark, mark
from deploys.operations.files import absent, directory, file, link, open_for_others
from deploys.paths import BEFORE, MARKS
from deploys.stack import Stack

TAKES = {"file": file, "link": link, "directory": directory}


def shell(script):
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)


def whose(path):
    return shell(PathOwner().command(path=str(path))).stdout.strip()


def test_ours_bears_our_name_or_our_first_line(tmp_path):
    unit, script, plain = tmp_path / "health-v1.conf", tmp_path / "hook", tmp_path / "plain"
    unit.write_text("x\n")
    script.write_text("#!/bin/sh\n# Managed by healthv1: change group_data and apply, not this file.\n")
    plain.write_text("somebody's\n# Managed by\n# healthv1\n")
    assert [whose(path) for path in (unit, script, plain)] == ["ours", "ours", "foreign"]


def test_a_link_is_ours_when_it_leads_to_ours_and_nothing_there_or_an_empty_folder_harms_nobody(tmp_path):
    ours, theirs = tmp_path / "a", tmp_path / "b"
    ours.symlink_to("/etc/nginx/sites-available/health-v1")
    theirs.symlink_to("/etc/hostname")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").touch()
    found = [whose(path) for path in (ours, theirs, tmp_path / "none", tmp_path / "empty", tmp_path / "full")]
    assert found == ["ours", "foreign", "stock", "stock", "foreign"]


def test_a_configuration_file_is_stock_as_its_package_brought_it():
    found = shell("awk '/^ \\/etc\\// {print $1, $2}' /var/lib/dpkg/status").stdout.split()
    pairs = zip(found[::2], found[1::2], strict=True)
    path = next(path for path, digest in pairs if shell(f"md5sum {path}").stdout.split()[:1] == [digest])
    assert whose(path) == "stock"


@pytest.mark.parametrize("kind", TAKES)
def test_what_is_in_the_way_is_refused_before_anything_is_changed(converge, tmp_path, kind):
    path = tmp_path / "theirs.conf"
    path.write_text("the only copy\n")
    given = {"file": {"content": lambda: "ours\n"}, "link": {"target": "/etc/hostname"}, "directory": {}}[kind]
    run = converge(lambda: TAKES[kind](name="Take", path=str(path), **given))
    (fault,) = run.faults
    assert fault.where == f"@local: file {path}"
    assert f'add "file {path}" to stack.adopt' in fault.hint
    assert path.read_text() == "the only copy\n"


def test_all_that_is_refused_on_a_host_is_told_at_once(converge, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text("theirs\n")

    def body():
        file(name="Write a", path=str(tmp_path / "a"), content=lambda: "ours\n")
        file(name="Write b", path=str(tmp_path / "b"), content=lambda: "ours\n")

    assert [fault.where for fault in converge(body).faults] == [f"@local: file {tmp_path / name}" for name in "ab"]


def test_a_thing_that_two_operations_meet_is_told_once(converge, tmp_path):
    (tmp_path / "a").write_text("theirs\n")

    def body():
        file(name="Write", path=str(tmp_path / "a"), content=lambda: "ours\n")
        link(name="Lead", path=str(tmp_path / "a"), target="/etc/hostname")

    (fault,) = converge(body).faults
    assert "replace it" in fault.what


def test_what_is_adopted_is_kept_aside_and_then_replaced(converge, tmp_path, monkeypatch):
    path, before = tmp_path / "theirs.conf", tmp_path / "before"
    path.write_text("the only copy\n")
    monkeypatch.setattr(
        "deploys.operations.files.keep_aside", lambda *given: keep_aside(*given).replace(BEFORE, str(before))
    )
    monkeypatch.setattr("deploys.operations.foreign.adopted_things", lambda: (f"file {path}",))
    monkeypatch.setattr(
        "deploys.operations.files._WRITE", vars(file)["_inner"].__globals__["_WRITE"].replace(MARKS, str(tmp_path))
    )

    def body():
        owner = {"user": path.owner(), "group": path.group()}
        file(name="Take", path=str(path), content=lambda: "ours\n", **owner)

    run = converge(body)
    assert not run.faults
    assert run.planned[0].why == "content, the owner's is kept aside"
    assert path.read_text() == "ours\n"
    (entry,) = before.iterdir()
    assert (entry / f"files{path}").read_text() == "the only copy\n"
    assert f"thing=file {path}" in (entry / "entry").read_text()


def test_somebody_elses_file_is_not_removed(converge, tmp_path):
    theirs = tmp_path / "certbot"
    theirs.write_text("#!/bin/sh\nexec /opt/certbot/bin/certbot\n")
    assert converge(lambda: absent(name="Remove", path=str(theirs))).planned == []
    assert theirs.exists()


def test_what_is_kept_aside_already_is_not_copied_again_and_another_state_is(tmp_path):
    path, before = tmp_path / "it's a file", tmp_path / "before"
    path.write_text("one\n")
    link, absolute = tmp_path / "link", "/etc/hostname"
    link.symlink_to(absolute)
    script = keep_aside("file x", [str(path), str(link), str(tmp_path / "none")], "systemctl reload x").replace(
        BEFORE, str(before)
    )
    for _ in range(2):
        assert shell(f"set -eu\n{script}").returncode == 0
    (entry,) = before.iterdir()
    assert (entry / f"files{path}").read_text() == "one\n"
    assert (entry / f"files{link}").readlink().as_posix() == absolute
    assert (entry / "put-back").read_text() == "systemctl reload x\n"
    assert entry.stat().st_mode & 0o777 == 0o700
    path.write_text("two\n")
    assert shell(script).returncode == 0
    assert len(list(before.iterdir())) == 2


def test_what_cannot_be_kept_aside_stops_the_script(tmp_path):
    path, before = tmp_path / "file", tmp_path / "before"
    path.write_text("one\n")
    before.write_text("in the way")
    done = shell(f"set -eu\n{keep_aside('file x', [str(path)]).replace(BEFORE, str(before))}\nrm {path}")
    assert done.returncode != 0
    assert path.exists()


def test_a_mark_is_told_from_another(tmp_path):
    def here(script):
        return shell(script.replace(MARKS, str(tmp_path / "ours"))).returncode

    assert here(has_mark("cluster", "health")) != 0
    assert here(mark("cluster", "health")) == 0
    assert here(has_mark("cluster", "health")) == 0
    assert here(has_mark("cluster", "main")) != 0


def test_the_way_out_says_how_a_thing_is_adopted_only_where_it_can_be():
    given = ("cluster 17/main", "It holds data.", "An apply would replace it.")
    assert "stack.adopt" not in Foreign(*given, way_out="move it").fault("host1").hint
    assert Foreign(*given, adoptable=True).fault("host1").hint.startswith("to let it be taken over")


def test_only_the_stack_of_a_host_says_what_is_adopted(converge):
    from deploys.operations.foreign import adopted_things

    found = []

    def body():
        found.append(adopted_things())
        ctx_host.get().data.stack = Stack(domain="api.example.com", adopt=("a b",))
        found.append(adopted_things())

    converge(body)
    assert found == [(), ("a b",)]


def test_a_directory_of_somebody_elses_keeps_its_mode_and_owner(converge, tmp_path):
    at = tmp_path / "hooks"
    at.mkdir()
    at.chmod(0o2775)
    (at / "theirs").write_text("#!/bin/sh\n")
    run = converge(lambda: directory(name="Make", path=str(at), mode="0755"))
    assert (run.planned, run.faults, at.stat().st_mode & 0o7777) == ([], (), 0o2775)
    assert converge(lambda: directory(name="Make", path=str(at), mode="0700")).planned == [], (
        "it is not closed to others"
    )


def test_a_directory_that_nobody_passes_through_is_opened_and_that_is_planned(converge, tmp_path):
    at = tmp_path / "acme"
    at.mkdir()
    (at / "theirs").touch()
    at.chmod(0o700)
    run = converge(lambda: directory(name="Make", path=str(at), mode="0755"))
    assert [(change.why, change.was[:4], change.becomes[:4]) for change in run.planned] == [("mode", "0700", "0711")]
    assert run.made == run.planned
    assert at.stat().st_mode & 0o7777 == 0o711
    assert converge(lambda: directory(name="Make", path=str(at), mode="0755")).planned == []


def test_what_is_added_to_a_foreign_mode_is_the_way_through_alone():
    theirs = Found("directory", "2770", "someone", "team", "")
    assert open_for_others(theirs, "0755") == Found("directory", "2771", "someone", "team", "")
    assert open_for_others(theirs, "0700") == theirs


def test_a_directory_is_ours_when_we_noted_it_or_nothing_else_lies_in_it(tmp_path):
    def ours(path):
        script = OurDirectory().command(path=str(path)).replace(MARKS, str(tmp_path / "marks"))
        return shell(script).stdout.strip() == "yes"

    at = tmp_path / "nginx.service.d"
    at.mkdir()
    assert not ours(at), "it may have been made by anybody"
    (at / "a.conf").write_text("# Managed by healthv1: change group_data and apply, not this file.\n")
    (at / "health-v1.conf").touch()
    assert ours(at)
    (at / "override.conf").write_text("[Service]\n")
    assert not ours(at)
    (tmp_path / "marks").mkdir()
    (tmp_path / "marks/files").write_text(f"{at}\n")
    assert ours(at)
