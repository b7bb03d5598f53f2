"""What is kept aside: listed without a word of its content, and put back so that it can be put back again."""

import os
import re
import subprocess
from dataclasses import replace

import pytest

from deploys.before import keep_aside
from deploys.paths import BEFORE
from healthv1.before import entries, script
from healthv1.before.entries import KeptAside
from healthv1.errors import Refused

ENTRY = KeptAside("20260102T030405Z-0123456789ab", "file /etc/x.conf", "2026-01-02T03:04:05Z", 2048, ("/etc/x.conf",))


@pytest.fixture
def host(tmp_path):
    """A host whose entries lie in a folder here."""

    class Host:
        kept = tmp_path / "before"
        place = tmp_path / "place"

        def run(self, text, check=True):
            here = text.replace(BEFORE, str(self.kept))
            done = subprocess.run(["sh", "-s"], input=here, capture_output=True, text=True, check=False)
            assert not check or done.returncode == 0, done.stderr
            return done

        def keep(self, *paths, thing="file x", then=":"):
            self.run(f"set -eu\n{keep_aside(thing, map(str, paths), then)}")
            return self.list()[0]

        def list(self):
            return entries.read(self.run(script.list_entries()).stdout.splitlines())

        def ahead(self, entry):
            """Return what was kept when `entry` was put back; both may have been made in one second."""
            (found,) = [one for one in self.list() if one.thing.endswith(f"ahead of putting back {entry.id}")]
            return found

        def look(self, entry):
            (found,) = entries.read(self.run(script.inspect_entry(entry.id)).stdout.splitlines())
            return found

        def put_back(self, entry, check=True):
            return self.run(script.put_back(self.look(entry)), check=check)

    (tmp_path / "place").mkdir()
    return Host()


def test_where_nothing_is_kept_nothing_is_listed(host):
    assert host.list() == []
    assert list(entries.lines("host1", [])) == ["host1: nothing is kept aside"]


def test_a_list_tells_what_when_where_and_how_much_and_no_content(host):
    path = host.place / "it's = a file"
    path.write_text("not to be told\n" * 100)
    entry = host.keep(path, thing="file it's = a file")
    assert (entry.thing, entry.paths) == ("file it's = a file", (str(path),))
    assert entry.size >= 1500
    assert entry.at.endswith("Z")
    told = "\n".join(entries.lines("host1", [entry]))
    assert entry.id in told
    assert str(path) in told
    assert "not to be told" not in told + str(host.run(script.inspect_entry(entry.id)).stdout)


def test_what_is_half_made_is_not_listed_and_swept_when_it_is_old(host):
    for name in (".new.fresh", ".new.old"):
        (host.kept / name / "files").mkdir(parents=True)
        (host.kept / name / "entry").write_text("thing=half\n")
    os.utime(host.kept / ".new.old", (0, 0))
    (host.kept / "no-entry").mkdir()
    assert host.list() == []
    assert {one.name for one in host.kept.iterdir()} == {".new.fresh", "no-entry"}


def test_the_newest_comes_first(host):
    told = "id=b\nthing=x\nat=2026-01-01T00:00:00Z\nid=a\nthing=y\nat=2026-02-01T00:00:00Z".splitlines()
    assert [entry.id for entry in entries.read(told)] == ["a", "b"]


def test_each_path_is_compared_with_what_lies_there_now(host):
    same, other, gone, link, rights = (host.place / name for name in ("same", "other", "gone", "link", "rights"))
    for path in (same, other, gone, rights):
        path.write_text("kept\n")
    link.symlink_to("same")
    entry = host.keep(same, other, gone, link, rights)
    other.write_text("changed\n")
    gone.unlink()
    rights.chmod(0o600)
    assert host.look(entry).states == ("same", "different", "missing", "same", "different")
    assert "is kept aside first" in "\n".join(entries.preview("host1", host.look(entry)))


def test_a_file_comes_back_as_it_was_and_what_lay_there_is_kept(host):
    path, done = host.place / "file", host.place / "done"
    path.write_text("kept\n")
    path.chmod(0o640)
    os.utime(path, ns=(10**18 + 7, 10**18 + 7))
    entry = host.keep(path, then=f"cat; date >> {done}")
    path.write_text("ours\n")
    host.put_back(entry)
    assert (path.read_text(), path.stat().st_mode & 0o777, path.stat().st_mtime_ns) == ("kept\n", 0o640, 10**18 + 7)
    assert len(done.read_text().splitlines()) == 1
    assert entry in host.list(), "it ended, whatever its own shell reads"
    host.put_back(host.ahead(entry))
    assert path.read_text() == "ours\n", "a put-back can be put back"
    assert len(done.read_text().splitlines()) == 2
    assert {one.name for one in host.place.iterdir()} == {"file", "done"}, "nothing is left beside it"


def test_what_came_where_nothing_was_goes_again_unless_it_was_changed(host):
    path, link, kept = host.place / "sub/file", host.place / "link", host.place / "changed"
    path.parent.mkdir()
    for one in (path, kept):
        one.write_text("kept\n")
    link.symlink_to("/nowhere")
    entry = host.keep(path, link, kept)
    path.unlink()
    path.parent.rmdir()
    link.unlink()
    kept.unlink()
    host.put_back(entry)
    assert path.read_text() == "kept\n"
    assert link.is_symlink()
    kept.write_text("changed since\n")
    host.put_back(host.ahead(entry))
    assert not path.exists()
    assert not link.is_symlink()
    assert kept.read_text() == "changed since\n"


def test_a_folder_comes_back_whole_and_alone(host):
    folder = host.place / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/one").write_text("kept\n")
    entry = host.keep(folder)
    (folder / "two").write_text("came later\n")
    assert host.look(entry).states == ("different",)
    host.put_back(entry)
    assert sorted(one.name for one in folder.rglob("*")) == ["one", "sub"]
    assert host.look(entry).nothing_due
    host.put_back(host.ahead(entry))
    assert (folder / "two").read_text() == "came later\n"


def test_another_kind_of_thing_makes_room(host):
    path = host.place / "thing"
    path.write_text("kept\n")
    entry = host.keep(path)
    path.unlink()
    path.mkdir()
    (path / "inside").write_text("ours\n")
    host.put_back(entry)
    assert path.read_text() == "kept\n"
    host.put_back(host.ahead(entry))
    assert (path / "inside").read_text() == "ours\n"


@pytest.mark.parametrize(
    "cut", ['mv -fT -- "$beside/new"', 'cp -a -- "$1/files$2"', "sh {entry}/put-back", "touch {entry}/putting-back"]
)
def test_whatever_kills_it_a_second_run_ends_it(host, cut):
    paths = [host.place / name for name in ("one", "two")]
    for path in paths:
        path.write_text("kept\n")
    entry = host.keep(*paths, then=f"touch {host.place}/done")
    for path in paths:
        path.write_text("ours\n")
    text = script.put_back(host.look(entry))
    at = re.sub(r"{entry}(\S+)", r'"$entry\1"', cut)
    assert at in text
    killed = host.run(text.replace(at, f"kill -KILL $$; {at}", 1), check=False)
    assert killed.returncode == -9
    assert not host.look(entry).nothing_due
    host.put_back(entry)
    assert [path.read_text() for path in paths] == ["kept\n", "kept\n"]
    assert {one.name for one in host.place.iterdir()} == {"one", "two", "done"}
    assert not host.look(entry).begun
    assert any(
        (one / f"files{paths[0]}").read_text() == "ours\n" for one in host.kept.iterdir() if one.name != entry.id
    )


def test_what_fails_at_the_end_says_so_and_is_told_as_unfinished(host):
    path = host.place / "file"
    path.write_text("kept\n")
    entry = host.keep(path, then="cat; echo it does not start >&2; exit 3")
    path.write_text("ours\n")
    done = host.put_back(entry, check=False)
    assert (done.returncode, "it does not start" in done.stderr) == (3, True)
    (again,) = [one for one in host.list() if one.id == entry.id]
    assert again.begun
    assert "did not end" in "\n".join(entries.lines("host1", [again]))


def test_an_unknown_entry_is_answered_with_those_that_are_there():
    with pytest.raises(Refused, match="Nothing of that name") as refused:
        entries.choose("production", "x", "", {"host1": [ENTRY], "host2": []})
    assert f"{ENTRY.id} (host1: file /etc/x.conf)" in refused.value.faults[0].hint
    with pytest.raises(Refused, match="More than one host"):
        entries.choose("production", ENTRY.id, "", {"host1": [ENTRY], "host2": [ENTRY]})
    with pytest.raises(Refused, match="No host of that name"):
        entries.choose("production", ENTRY.id, "host3", {"host1": [ENTRY]})
    assert entries.choose("production", ENTRY.id, "host2", {"host1": [ENTRY], "host2": [ENTRY]}) == ("host2", ENTRY)


def test_what_lies_there_as_it_was_kept_needs_nothing():
    assert replace(ENTRY, states=("same",), then=":").nothing_due
    assert not replace(ENTRY, states=("missing",), then=":").nothing_due
    assert not replace(ENTRY, states=("same",), then=":", begun=True).nothing_due
    assert not replace(ENTRY, states=("same",), then="nft -f x").nothing_due, "it may put back what is no file"


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (5 * 2**40, "5120.0 GiB")]
)
def test_sizes_are_told_in_words(size, words):
    assert entries.readable_size(size) == words
