"""Chains that break visibly: the real scripts on this machine, and every way to tamper with a file."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploys.operations.change import Change
from healthv1.cli.journal import lines
from healthv1.journal import script
from healthv1.journal.chain import Head, digest, fields, find_breaks, link, missing_head, read
from healthv1.journal.entry import RunHeader, body
from healthv1.journal.local import OperatorCopy
from healthv1.journal.reading import OPERATOR, Journals, runs
from healthv1.journal.verifying import broken_lines
from healthv1.output.redaction import redactor
from healthv1.plan import Step

TEXT = st.text(max_size=20)
BODIES = st.lists(st.dictionaries(st.sampled_from(["run", "by", "reason"]), TEXT, min_size=1), min_size=3, max_size=9)


def chained(bodies):
    lines = []
    for one in bodies:
        lines.append(link(one, lines))
    return lines


def kinds(lines):
    return {(one.line, one.what) for one in find_breaks(lines)}


@given(BODIES)
def test_a_chain_that_nobody_touched_is_whole(bodies):
    assert find_breaks(chained(bodies)) == []


@given(BODIES, st.data())
def test_an_edited_line_is_named(bodies, data):
    lines = chained(bodies)
    place = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[place]) - 1))
    letter = data.draw(st.characters(codec="ascii", exclude_characters=lines[place][at]))
    lines[place] = lines[place][:at] + letter + lines[place][at + 1 :]
    assert (place + 1, "edited") in kinds(lines)


@given(BODIES, st.data())
def test_a_line_that_was_edited_with_its_hash_made_anew_is_named(bodies, data):
    lines = chained(bodies)
    place = data.draw(st.integers(0, len(lines) - 2))
    lines[place] = link({"run": "another"}, lines[:place])
    assert kinds(lines) == {(place + 1, "edited")} or lines == chained(bodies)


@given(BODIES, st.data())
def test_deleted_lines_are_named(bodies, data):
    lines = chained(bodies)
    first = data.draw(st.integers(0, len(lines) - 2))
    last = data.draw(st.integers(first + 1, len(lines) - 1))
    del lines[first:last]
    assert kinds(lines) == {(first + 1, "deleted")}


@given(BODIES, st.data())
def test_swapped_lines_are_named(bodies, data):
    lines = chained(bodies)
    one, other = sorted(data.draw(st.lists(st.integers(0, len(lines) - 1), min_size=2, max_size=2, unique=True)))
    lines[one], lines[other] = lines[other], lines[one]
    assert {(one + 1, "reordered"), (other + 1, "reordered")} <= kinds(lines)
    assert {what for _, what in kinds(lines)} == {"reordered"}


def appended(kept, told, *, durable=True, shell=("sh", "-s")):
    text = script.append(str(kept), "production", fields(told), durable=durable)
    return subprocess.run(shell, input=text, capture_output=True, text=True, check=False)


def journal(kept):
    return Path(kept) / "journal/production.jsonl"


@settings(max_examples=8)
@given(BODIES)
def test_a_host_links_its_lines_as_we_do(tmp_path_factory, bodies):
    kept = tmp_path_factory.mktemp("kept")
    for one in bodies:
        done = appended(kept, {"run": "1", **one})
        number, found, *_ = done.stdout.split()
        last = journal(kept).read_text().splitlines()[-1]
        assert Head(int(number), found) == Head(read(last).number, digest(last)), done.stderr
    assert journal(kept).read_text().splitlines() == chained([{"run": "1", **one} for one in bodies])
    assert journal(kept).stat().st_mode & 0o777 == 0o600
    assert kept.joinpath("journal").stat().st_mode & 0o777 == 0o700


def test_lines_that_are_written_at_the_same_moment_stand_in_a_row(tmp_path):
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda number: appended(tmp_path, {"run": number}), range(8)))
    lines = journal(tmp_path).read_text().splitlines()
    assert (len(lines), find_breaks(lines)) == (8, [])


def test_a_line_that_found_no_room_leaves_nothing_of_itself(tmp_path):
    appended(tmp_path, {"run": "1"})
    before = journal(tmp_path).read_bytes()
    full = ("sh", "-c", "trap '' XFSZ; ulimit -f 2; exec sh -s")  # no file grows beyond 1 KB
    done = appended(tmp_path, {"run": "x" * 3000}, shell=full)
    assert done.returncode
    assert journal(tmp_path).read_bytes() == before
    appended(tmp_path, {"run": "2"})
    assert find_breaks(journal(tmp_path).read_text().splitlines()) == []


def test_after_a_torn_line_the_next_begins_anew_and_the_torn_one_is_named(tmp_path):
    for number in range(3):
        appended(tmp_path, {"run": number})
    with journal(tmp_path).open("a") as file:
        file.write('{"line":4,"prev')
    appended(tmp_path, {"run": "after"})
    assert kinds(journal(tmp_path).read_text().splitlines()) == {(4, "edited")}


def test_a_line_that_is_not_even_text_is_named(tmp_path):
    for number in range(3):
        appended(tmp_path, {"run": number})
    journal(tmp_path).write_bytes(journal(tmp_path).read_bytes().replace(b'"run":1', b'"run":\xff\x00'))
    text = script.read(str(tmp_path), "production").encode()
    shown = subprocess.run(["sh", "-s"], input=text, capture_output=True, check=True)
    assert kinds(shown.stdout.decode("ascii").splitlines()) == {(2, "edited")}


def told(run="r1", lock=""):
    return RunHeader(run, "apply", "production", ("host1",), lock, by="anna@laptop")


def steps(count, target="x"):
    return [
        Step("host1", "base", "Nginx", f"Write {n}", (Change("file", f"{n}{target}", "update"),)) for n in range(count)
    ]


def recorded(folder, run="r1", ended=True):
    """Record a run in a host's journal and in the operator's copy, as a command does."""
    copy = OperatorCopy("production", folder / "project")
    (folder / "project").mkdir(exist_ok=True)
    name, head = copy.append(body(told(run), "started", steps(2)))
    mirrored = {"copy": name, "mirrors": vars(head)}
    appended(folder, body(told(run), "started", steps(2), host="host1", **mirrored))
    if ended:
        done = appended(
            folder, body(told(run), "ended", steps(1), host="host1", result="done", seconds=1.5, **mirrored)
        )
        line, found, *_ = done.stdout.split()
        heads = {"host1": {"line": int(line), "digest": found}}
        copy.append(body(told(run), "ended", steps(1), result="done", seconds=1.5, heads=heads))
    return copy


def found(folder, copy, locks=()):
    lines = {OPERATOR: copy.lines(), "host1": journal(folder).read_text().splitlines()}
    return Journals(lines, frozenset(locks))


@pytest.fixture
def three(tmp_path):
    for number in range(3):
        copy = recorded(tmp_path, f"r{number}")
    assert broken_lines(found(tmp_path, copy)) == []
    return tmp_path, copy


def _rewrite(path, change):
    lines = path.read_text().splitlines()
    path.write_text("".join(f"{line}\n" for line in change(lines)))


def test_the_end_of_a_hosts_journal_that_was_cut_is_known_to_the_operators_copy(three):
    folder, copy = three
    _rewrite(journal(folder), lambda lines: lines[:-1])
    assert [(one.journal, one.line, one.what) for one in broken_lines(found(folder, copy))] == [("host1", 5, "cut")]
    journal(folder).write_text("")
    assert [one.what for one in broken_lines(found(folder, copy))] == ["cut"]


def test_a_hosts_journal_that_was_written_anew_is_known_to_the_operators_copy(three):
    folder, copy = three
    _rewrite(journal(folder), lambda lines: chained([{"run": "mine"} for _ in lines]))
    assert [(one.journal, one.what) for one in broken_lines(found(folder, copy))] == [("host1", "rewritten")]


@pytest.mark.parametrize("left", [5, 4, 1])
def test_the_end_of_the_operators_copy_that_was_cut_is_known_to_the_hosts(three, left):
    folder, copy = three
    _rewrite(copy.path, lambda lines: lines[:left])
    assert [(one.journal, one.line, one.what) for one in broken_lines(found(folder, copy))] == [(OPERATOR, left, "cut")]


def test_an_operators_copy_that_was_written_anew_is_known_to_the_hosts(three):
    folder, copy = three
    name = json.loads(copy.lines()[0])["copy"]
    _rewrite(copy.path, lambda lines: chained([{"run": "mine", "copy": name} for _ in lines]))
    assert [(one.journal, one.what) for one in broken_lines(found(folder, copy))] == [(OPERATOR, "rewritten")]


def test_a_fresh_checkout_accuses_nobody(three):
    folder, copy = three
    copy.path.unlink()
    assert broken_lines(found(folder, copy)) == []
    assert broken_lines(found(folder, recorded(folder, "r9"))) == []


def test_a_run_that_died_stands_out_and_one_whose_lock_is_alive_still_runs(tmp_path):
    copy = recorded(tmp_path, "ended")
    appended(tmp_path, body(told("dead", "lock1"), "started", steps(9), host="host1"))
    appended(tmp_path, body(told("alive", "lock2"), "started", steps(9), host="host1"))
    seen = {run.run: run for run in runs(found(tmp_path, copy))}
    states = {name: run.state({"lock2"}) for name, run in seen.items()}
    assert states == {"ended": "ended", "dead": "started, never ended", "alive": "still running"}
    assert (seen["ended"].count, len(seen["ended"].changes), seen["ended"].journals) == (1, 1, [OPERATOR, "host1"])
    said = list(lines(seen["dead"], states["dead"]))
    assert said[0].startswith("✗")
    assert "started, never ended  9 changes planned" in said[0]
    assert said[-1].endswith("and 4 more")


def test_an_entry_has_a_size_that_no_run_exceeds():
    entry = body(told(), "ended", steps(5000, "y" * 5000), host="host1", result="done", faults=["z" * 9000] * 10)
    assert entry["count"] == 5000
    assert len(entry["changes"]) == 50
    assert len(fields(entry)) < 20_000


def test_an_entry_holds_no_diff_and_no_secret():
    redactor.add("a-secret-that-was-revealed")
    change = Change("file", "/etc/a-secret-that-was-revealed", "update", diff="-password: x")
    entry = fields(body(told(), "ended", [Step("host1", "base", "Nginx", "Write", (change,))], host="host1"))
    assert "revealed" not in entry
    assert "password" not in entry


def test_of_a_secret_that_is_cut_off_nothing_stays():
    redactor.add("a-secret-that-is-longer-than-the-rest")
    for before in range(80, 125):
        change = Change("file", f"{'x' * before}a-secret-that-is-longer-than-the-rest", "update")
        entry = fields(body(told(), "ended", [Step("host1", "base", "Nginx", "Write", (change,))], host="host1"))
        assert "xa-" not in entry


def test_a_host_is_told_of_its_own_changes_and_of_the_number_of_all():
    others = Step("host2", "base", "Redis", "Write", (Change("file", "/etc/redis", "update"),))
    entry = body(told(), "ended", [*steps(1), others], host="host1")
    assert ([change["host"] for change in entry["changes"]], entry["count"]) == (["host1"], 2)


def test_git_does_not_see_the_operators_copy(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    OperatorCopy("production", tmp_path / ".healthv1").append({"run": "1"})
    seen = subprocess.run(["git", "-C", tmp_path, "status", "--porcelain"], capture_output=True, text=True, check=True)
    assert seen.stdout == ""
    assert OperatorCopy("production", tmp_path / ".healthv1").path.stat().st_mode & 0o777 == 0o600


def test_a_project_that_cannot_be_written_to_has_no_copy_to_remember(tmp_path):
    (tmp_path / "file").write_text("")
    copy = OperatorCopy("production", tmp_path / "file")
    with pytest.raises(OSError, match=os.strerror(17)):
        copy.append({"run": "1"})
    assert copy.head() is None


def test_heads_are_found_wherever_the_chain_is_whole():
    lines = chained([{"run": str(n)} for n in range(4)])
    assert all(missing_head(lines, Head(number, digest(line))) is None for number, line in enumerate(lines, 1))
