import os
import stat
import subprocess

import pytest

from deploys.operations.files import _WRITE, absent, directory, file, link


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a b'c.conf"


def test_a_file_is_written_whole_and_a_second_apply_changes_nothing(converge, path, owner):
    def body():
        file(name="Write", path=str(path), content=lambda: 'one\n"two" $HOME `x` \\\n', mode="0640", **owner)

    first = converge(body)
    assert [change.action for change in first.planned] == ["create"]
    assert first.made == first.planned
    assert path.read_text() == 'one\n"two" $HOME `x` \\\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert converge(body).planned == []
    assert list(path.parent.iterdir()) == [path], "temporary files are left behind"


@pytest.mark.parametrize("drift", ["content", "mode", "link"])
def test_drift_is_named_and_mended(converge, path, owner, drift):
    def body():
        file(name="Write", path=str(path), content=lambda: "wanted\n", mode="0600", **owner)

    converge(body)
    if drift == "content":
        path.write_text("changed\n")
    elif drift == "mode":
        path.chmod(0o644)
    else:
        path.unlink()
        path.symlink_to("/etc/hostname")
    run = converge(body)
    change = run.planned[0]
    assert {"content": "content", "mode": "mode", "link": "symbolic link"}[drift] in change.why
    assert {"content": "", "mode": "0644", "link": "symbolic link"}[drift] in change.was
    assert {"content": "", "mode": "0600", "link": "0600"}[drift] in change.becomes
    assert run.made == run.planned
    assert (path.is_symlink(), path.read_text()) == (False, "wanted\n")
    assert converge(body).planned == []


def test_the_diff_shows_both_sides_but_never_those_of_a_secret_file(converge, path, owner):
    path.write_text("old-value\n")
    shown = converge(lambda: file(name="Write", path=str(path), content=lambda: "new-value\n", mode="0644", **owner))
    assert "-old-value" in shown.planned[0].diff
    assert "+new-value" in shown.planned[0].diff
    path.write_text("old-value\n")
    hidden = converge(
        lambda: file(name="Write", path=str(path), content=lambda: "new-value\n", mode="0600", secret=True, **owner)
    )
    assert hidden.planned[0].diff == ""


def test_of_a_secret_file_the_names_of_what_differs_are_told_and_no_value(converge, path, owner):
    def body():
        text = "RUST_LOG=info\nJWT_SECRET='new-one'\nMASTER_KEY=same\nNEW=1\n"
        file(name="Write", path=str(path), content=lambda: text, mode="0600", secret=True, **owner)

    assert "0600" in converge(body).planned[0].becomes
    path.write_text("hunter2\nRUST_LOG=debug\nJWT_SECRET='old one\\'\nMASTER_KEY=same\nGONE=2")
    (change,) = converge(body).planned
    assert change.why == (
        "content: RUST_LOG changed, JWT_SECRET rotated, NEW added, GONE removed, lines without a name"
    )
    assert converge(body).planned == []


def test_a_diff_shows_what_is_no_text_and_what_ends_without_a_newline(converge, path, owner):
    path.write_bytes(b"same\ncaf\xe9\r\nmore")
    (change,) = converge(
        lambda: file(name="Write", path=str(path), content=lambda: "same\n", mode="0644", **owner)
    ).planned
    assert change.diff.splitlines()[4:] == ["-caf\\xe9", "-more", "-\\ No newline at end of file"]
    assert "\\xe9\r\n" in change.diff


def test_a_created_file_shows_all_that_it_will_hold(converge, path, owner):
    (change,) = converge(lambda: file(name="Write", path=str(path), content=lambda: "one\ntwo\n", **owner)).planned
    assert change.diff.splitlines()[3:] == ["+one", "+two"]
    assert (change.was, change.becomes[:4]) == ("", "0644")


def test_a_file_that_its_test_refuses_never_replaces_the_old_one(converge, path, owner):
    path.write_text("good\n")
    for kind in ("test", "test_in_place"):
        command = 'grep -q good "$1"' if kind == "test" else f'grep -q good "{path}"'
        wrong = {kind: command}
        run = converge(
            lambda wrong=wrong: file(
                name="Write", path=str(path), content=lambda: "bad\n", mode="0644", **owner, **wrong
            )
        )
        assert run.faults
        assert path.read_text() == "good\n"
        assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(converge, owner):
    """/dev/full stands for it: the write fails, as on a full disk."""
    run = converge(lambda: file(name="Write", path="/dev/full/x", content=lambda: "new\n", mode="0644", **owner))
    assert run.faults


@pytest.mark.parametrize("signal", ["TERM", "HUP", "INT"])
@pytest.mark.parametrize("there", [True, False])
def test_a_file_that_was_not_tested_does_not_stay_when_the_host_goes_down(path, owner, signal, there):
    if there:
        path.write_text("good\n")
    # The program that writes is the parent of the test.
    arguments = (path, "4", "0644", owner["user"], owner["group"], "", f"kill -{signal} $PPID; sleep 0.2", "", "ours")
    # What a shell starts in the background ignores them, and what starts there inherits that.
    argv = ["env", "--default-signal=HUP,INT", "sh", "-c", _WRITE, "write", *arguments]
    done = subprocess.run(argv, input=b"new\n", check=False)
    assert done.returncode == 1
    assert list(path.parent.iterdir()) == [path] * there
    assert not there or path.read_text() == "good\n"


def test_content_that_changes_between_plan_and_apply_is_still_made_right(converge, path, owner):
    def body():
        file(name="Write", path=str(path), content=lambda: "wanted\n", mode="0644", **owner)

    run = converge(body, between=lambda: path.write_text("someone was quicker\n"))
    assert not run.faults
    assert path.read_text() == "wanted\n"


def test_what_no_plan_named_is_not_done_though_it_is_due_by_now(converge, path, owner, tmp_path):
    other = tmp_path / "other"

    def body():
        file(name="Write the other", path=str(other), content=lambda: "wanted\n", mode="0644", **owner)
        file(name="Write", path=str(path), content=lambda: "wanted\n", mode="0644", **owner)

    other.write_text("wanted\n")
    run = converge(body, between=lambda: other.write_text("drifted meanwhile\n"))
    (fault,) = run.faults
    assert fault.what == f"update file {other}: it is due by now, and no plan named it. It was not done."
    assert (run.made, other.read_text(), path.exists()) == ([], "drifted meanwhile\n", False)
    assert not converge(body).faults
    assert (other.read_text(), path.read_text()) == ("wanted\n", "wanted\n")


def test_a_link_is_switched_and_a_directory_gets_its_mode(converge, tmp_path, owner):
    at = tmp_path / "current"

    def body():
        link(name="Switch", path=str(at), target="releases/2", ours=True)
        directory(name="Make", path=str(tmp_path / "data"), mode="0750", **owner)
        absent(name="Remove", path=str(tmp_path / "old"))

    at.symlink_to("releases/1")
    (tmp_path / "old").write_text("# Managed by healthv1\n")
    run = converge(body)
    assert [change.action for change in run.planned] == ["update", "create", "remove"]
    assert run.made == run.planned
    assert (run.planned[0].was, run.planned[0].becomes) == ("releases/1", "releases/2")
    assert at.readlink().as_posix() == "releases/2"
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o750
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", "data"]
    assert converge(body).planned == []


def test_what_services_take_up_is_a_new_content_and_not_a_new_mode(converge, path, owner):
    from deploys.operations.change import Change
    from deploys.operations.shell import ensure

    def body():
        file(name="Write", path=str(path), content=lambda: "wanted\n", mode="0600", **owner)
        ensure(name="Take up", change=Change("unit", "x", "reload"), test="true", command="true", after=(str(path),))

    assert [change.kind for change in converge(body).planned] == ["file", "unit"]
    os.utime(path, (1000, 1000))
    path.chmod(0o644)
    assert [change.kind for change in converge(body).planned] == ["file"]
    assert path.stat().st_mtime == 1000
    path.write_text("changed\n")
    assert [change.kind for change in converge(body).planned] == ["file", "unit"]


@pytest.mark.parametrize("way", ["file", "link"])
def test_what_is_in_a_directorys_way_goes_and_what_a_link_leads_to_stays(converge, path, owner, way):
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    path.symlink_to(elsewhere) if way == "link" else path.touch()

    def body():
        directory(name="Make", path=str(path), mode="0750", **owner)

    run = converge(body)
    assert run.made == run.planned
    assert (path.is_symlink(), path.is_dir(), (elsewhere / "kept").exists()) == (False, True, True)
    assert converge(body).planned == []


@pytest.mark.parametrize("kind", [file, link])
def test_an_empty_directory_makes_room_and_one_with_something_in_it_does_not(converge, path, owner, kind):
    def body():
        if kind is link:
            link(name="Lead", path=str(path), target="/etc/hostname", ours=True)
        else:
            file(name="Write", path=str(path), content=lambda: "text\n", **owner)

    path.mkdir()
    (path / "something").touch()
    assert "not empty" in converge(body).faults[0].what
    (path / "something").unlink()
    run = converge(body)
    assert run.made == run.planned
    assert not path.is_dir()
    assert converge(body).planned == []


def test_what_came_right_since_the_plan_is_made_sure_of_and_told_as_planned(converge, path, owner):
    run = converge(
        lambda: file(name="Write", path=str(path), content=lambda: "text\n", mode="0640", **owner),
        between=lambda: (path.write_text("text\n"), path.chmod(0o640)),
    )
    assert [change.action for change in run.planned] == ["create"]
    assert run.made == run.planned
