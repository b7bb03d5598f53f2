"""Edge hosts are closed and opened: the real scripts, each host a folder. What Nginx makes of it is seen on a host."""

import json
import os
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest

from deploys.facts.maintenance import MaintenanceRecord
from deploys.nginx.settings import Nginx
from healthv1.commands import maintenance
from healthv1.errors import HostError, LockError, Refused
from healthv1.lock.acquire import take
from healthv1.lock.holder import LockClaim, Terms
from healthv1.lock.locking import locked
from healthv1.maintenance.notice import DEFAULT_MESSAGE, LONGEST_MESSAGE, Notice, notice
from healthv1.output.redaction import redactor
from healthv1.verify import maintenance as told
from tests.unit.healthv1.hosts_here import ENVIRONMENT, Hosts

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=timezone.utc)
LATER = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=1)
AWKWARD = """</p><script>alert("1")</script> & 'quoted' \\n ü"""


def _until(text):
    return f"{notice('', text, NOW).until:%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("", "03-02 10:30"),
        ("90m", "03-02 11:00"),
        ("2h", "03-02 11:30"),
        ("1h30m", "03-02 11:00"),
        ("1d", "03-03 09:30"),
        ("10:15", "03-02 10:15"),
        ("9:30", "03-03 09:30"),
        ("00:05", "03-03 00:05"),
        ("2026-03-02T22:30", "03-02 22:30"),
        ("2026-03-02 22:30", "03-02 22:30"),
        ("2026-03-02T22:30:00Z", "03-02 22:30"),
        ("2026-03-02T22:30+02:00", "03-02 20:30"),
    ],
)
def test_an_end_is_a_duration_a_time_of_day_or_a_date_with_time_in_utc(text, ends):
    assert _until(text) == ends


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("soon", "is no time"),
        ("90", "is no time"),
        (" ", "is no time"),
        ("25:00", "is no time"),
        ("2026-03-02", "is no time"),
        ("-5m", "is no time"),
        ("0m", "is over"),
        ("2026-03-02T09:00", "is over"),
        ("8d", "more than 7 days"),
        ("2027-01-01T00:00", "more than 7 days"),
    ],
)
def test_any_other_end_is_refused(text, said):
    with pytest.raises(Refused) as refusal:
        notice("", text, NOW)
    (fault,) = refusal.value.faults
    assert fault.where == "--until"
    assert said in fault.what
    assert fault.hint


@pytest.mark.parametrize("hidden", ["\n", "\t", "\x1b", "\0", "\u202e", "\u2028"])
def test_what_nobody_can_see_and_what_nobody_reads_to_its_end_is_refused_at_once(hidden):
    with pytest.raises(Refused) as refusal:
        notice(f"x{hidden}x" * LONGEST_MESSAGE, "soon", NOW)
    assert [fault.where for fault in refusal.value.faults] == ["--message", "--message", "--until"]
    assert f"U+{ord(hidden):04X}" in refusal.value.faults[1].what
    assert notice("x" * LONGEST_MESSAGE, "", NOW).message == "x" * LONGEST_MESSAGE
    assert notice(" ", "", NOW).message == DEFAULT_MESSAGE


def test_a_message_is_text_for_whoever_reads_json_and_whoever_reads_html():
    said = notice(AWKWARD, "1h", NOW)
    document = json.loads(said.problem)
    assert document == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": AWKWARD,
        "until": "2026-03-02T10:30:00Z",
    }
    page = _Page()
    page.feed(said.page)
    assert AWKWARD in page.text
    assert "10:30 UTC on 2 March 2026" in page.text
    assert page.tags & {"script", "link", "img", "style", "iframe"} == set(), "it fetches nothing and runs nothing"


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.text, self.tags = "", set()

    def handle_starttag(self, tag, _attributes):
        self.tags.add(tag)

    def handle_data(self, data):
        self.text += data


# Nginx of the host whose port is asked: it has seen the file, dies of what is new, or knows of no maintenance.
CURL = """#!/bin/sh
for url; do :; done
port=${url#http://127.0.0.1:}; host=$(cat "$HOSTS/${port%%/*}.port")
if [ -e "$host/dead" ] && grep -qs 'What is new' "$host/kept/maintenance/on/record"; then exit 7; fi
if [ -e "$host/old" ]; then exit 22; fi
if [ -f "$host/kept/maintenance/on/problem.json" ]; then echo on; else echo off; fi
"""
# A host is not waited for as long as a real one.
STUBS = {"curl": CURL, "systemctl": "#!/bin/sh\n", "ip": "#!/bin/sh\n", "sleep": "#!/bin/sh\n"}


class Edges(Hosts):
    """Two edge hosts and a database."""

    def __init__(self, folder, monkeypatch):
        super().__init__(folder, None, monkeypatch, ("edge1", "edge2", "db1"))
        self.groups = {"edge": ["edge1", "edge2"], "database": ["db1"]}
        (folder / "bin").mkdir()
        for name, text in STUBS.items():
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        for position, name in enumerate(self.names):
            self.kept(name).mkdir()
            (self.kept(name) / "maintenance").mkdir()
            (folder / f"{9000 + position}.port").write_text(str(self[name]))
        monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
        monkeypatch.setenv("HOSTS", str(folder))
        monkeypatch.setattr(maintenance, "opened", self.opened)

    def data(self, name):
        addresses = {"edge1": {"ssh_hostname": "192.0.2.1"}, "edge2": {"private_address": "192.0.2.2"}}
        settings = Nginx(status_port=9000 + self.names.index(name))
        return {**super().data(name), "nginx": settings, "address6": "2001:DB8::1", **addresses.get(name, {})}

    def on(self, name):
        """Return the folder of what is on there; None while nothing is."""
        folder = self.kept(name) / "maintenance/on"
        return folder if folder.exists() else None

    def record(self, name):
        folder = self.on(name)
        return folder and MaintenanceRecord.read(["on=yes", *(folder / "record").read_text().splitlines()])


@pytest.fixture
def edges(tmp_path, monkeypatch):
    return Edges(tmp_path, monkeypatch)


def _on(message="A restore is under way.", until="1h", limit=()):
    return maintenance.on(ENVIRONMENT, message, until, limit, Terms())


def _off():
    return maintenance.off(ENVIRONMENT, (), Terms())


def test_on_and_off_say_what_was_before_and_twice_is_once(edges):
    until = f"{LATER:%Y-%m-%dT%H:%M:%SZ}"
    switched = _on(until=until)
    assert (switched.before, switched.changed) == ({"edge1": None, "edge2": None}, True)
    assert edges.on("db1") is None
    assert json.loads((edges.on("edge2") / "problem.json").read_text())["detail"] == "A restore is under way."
    first = edges.record("edge1")
    assert (first.message, first.until) == ("A restore is under way.", int(LATER.timestamp()))
    assert first.by
    again = _on(until=until)
    assert (again.changed, again.before["edge2"]) == (False, first)
    assert _on("Another.", until).before["edge1"] == first
    assert edges.record("edge1").message == "Another."
    assert _off().before["edge1"].message == "Another."
    assert edges.on("edge1") is edges.on("edge2") is None
    assert _off().as_json() == {
        "schema": 1,
        "environment": ENVIRONMENT,
        "changed": False,
        "hosts": {name: {"before": {"state": "off"}, "now": {"state": "off"}} for name in ("edge1", "edge2")},
    }
    assert not any(edges.held().values()), "the lock is given back"


def test_visitors_files_are_for_nginx_and_the_record_is_for_root(edges):
    _on()
    folder = edges.on("edge1")
    modes = {
        name: (folder / name).stat().st_mode & 0o777 for name in ("", "problem.json", "page.html", "record", "ours")
    }
    assert modes == {"": 0o755, "problem.json": 0o644, "page.html": 0o644, "record": 0o600, "ours": 0o755}


def test_health_is_for_hosts_of_ours_by_their_addresses_as_nginx_writes_them(edges):
    _on()
    ours = {path.name for path in (edges.on("edge1") / "ours").iterdir()}
    assert {"192.0.2.1", "192.0.2.2", "2001:db8::1"} <= ours
    assert not any(name[0].isalpha() and ":" not in name for name in ours), "names are no addresses"


def test_earlier_ones_are_swept_but_the_one_before(edges):
    for number in range(4):
        _on(f"Number {number}")
    assert len([path for path in (edges.kept("edge1") / "maintenance").iterdir() if not path.is_symlink()]) == 2


@pytest.mark.parametrize("before", [None, "What was before."], ids=["open before", "another before"])
def test_if_one_cannot_be_switched_the_other_is_put_back_and_it_is_said(edges, before):
    if before:
        _on(before)
    was = edges.record("edge1")
    (edges["edge2"] / "dead").touch()
    with pytest.raises(HostError) as error:
        _on("What is new.")
    assert edges.record("edge1") == was
    said = " ".join(fault.what for fault in error.value.faults)
    assert "does not answer that it is closed" in said
    assert f"edge1 is as it was: {'the maintenance of before is on' if before else 'visitors are let in'}" in said
    if before is None:
        assert edges.on("edge2") is None, "who did not answer is put back as well"


def test_an_edge_host_that_is_away_is_one_fault_with_a_way_out_and_nothing_is_switched(edges):
    edges.away.add("edge2")
    with pytest.raises(HostError) as error:
        _on()
    assert [fault.where for fault in error.value.faults] == ["edge2", f"maintenance of {ENVIRONMENT}"]
    assert error.value.faults[1].hint.endswith(f"healthv1 maintenance on {ENVIRONMENT} --limit edge1")
    assert edges.on("edge1") is None
    edges.away = {"db1"}  # whoever restores its data closes the website all the same
    assert _on().changed
    edges.away = {"edge2"}
    assert maintenance.off(ENVIRONMENT, ("edge1",), Terms()).before.keys() == {"edge1"}
    assert edges.on("edge1") is None
    assert edges.on("edge2") is not None


def test_where_no_visitor_comes_there_is_nothing_to_close(edges):
    with pytest.raises(Refused) as refusal:
        _on(limit=("db1",))
    assert refusal.value.faults[0].hint == "edge hosts: edge1, edge2"


def test_a_site_that_knows_of_no_maintenance_is_refused_with_the_apply_that_teaches_it(edges):
    (edges["edge2"] / "old").touch()
    with pytest.raises(HostError) as error:
        _on()
    (fault,) = error.value.faults
    assert (fault.where, fault.hint) == ("edge2", f"healthv1 apply {ENVIRONMENT}")
    assert edges.on("edge1") is None
    assert _off().changed is False, "where none is on, nothing has to be known"


def test_a_host_whose_clock_is_past_the_end_would_open_at_once(edges):
    with edges.opened(limit=("edge",), read_site=False) as session, pytest.raises(HostError) as error:
        maintenance.close_site(session, Notice(NOW - timedelta(days=999)), print)
    assert [fault.where for fault in error.value.faults] == ["edge1", "edge2"]
    assert edges.on("edge1") is None


def test_it_takes_the_lock_and_whoever_has_it_already_keeps_it(edges):
    claim = LockClaim(ENVIRONMENT, "apply", 60, "", "bela@ci")
    take(edges.places(), claim)
    with pytest.raises(LockError, match="bela@ci"):
        _on()
    assert edges.on("edge1") is None
    for place in edges.places():
        (edges.kept(place.name) / "lock").unlink()
    with edges.opened(read_site=False) as session, locked(session, "restore", Terms(), print):
        maintenance.close_site(session, Notice(LATER), print)
        assert {held.command for held in edges.held().values()} == {"restore"}
        maintenance.open_site(session, print)
        assert {held.command for held in edges.held().values()} == {"restore"}
    assert edges.on("edge1") is None


def test_an_interruption_puts_all_back(edges, monkeypatch):
    real = maintenance.run_concurrently

    def interrupted(hosts, work):
        answers = real(hosts, work)
        if edges.on("edge1"):
            monkeypatch.setattr(maintenance, "run_concurrently", real)
            raise KeyboardInterrupt
        return answers

    monkeypatch.setattr(maintenance, "run_concurrently", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _on()
    assert edges.on("edge1") is edges.on("edge2") is None


def test_the_journal_tells_who_when_and_the_message_without_secrets(edges):
    redactor.add("hunter2-hunter2")
    _on("The password is hunter2-hunter2.")
    lines = [
        json.loads(line) for line in (edges.kept("edge1") / f"journal/{ENVIRONMENT}.jsonl").read_text().splitlines()
    ]
    ended = [line for line in lines if line["event"] == "ended"][-1]
    assert (ended["command"], ended["result"]) == ("maintenance on", "done")
    assert ended["by"] == edges.record("edge1").by
    targets = [change["target"] for change in ended["changes"]]
    assert any("The password is" in target for target in targets)
    everything = "".join(
        path.read_text() for path in edges.folder.rglob("*") if path.is_file() and "bin" not in path.parts
    )
    assert "hunter2" not in everything
    _off()
    _off()
    last = json.loads((edges.kept("edge1") / f"journal/{ENVIRONMENT}.jsonl").read_text().splitlines()[-1])
    assert (last["command"], last["result"], last["count"]) == ("maintenance off", "nothing to do", 0)


def test_a_record_that_nobody_can_read_is_still_one_that_is_on():
    assert MaintenanceRecord.read(["message=x", "until=5"]) is None
    broken = MaintenanceRecord.read(["on=yes", "until=x"])
    assert (broken.until, broken.ends) == (0, "no known time")
    record = MaintenanceRecord("a=b", "anna@laptop", 1, 1772447400)
    assert MaintenanceRecord.read(["on=yes", *record.text.splitlines()]) == record


def test_verify_has_one_claim_per_edge_host(edges):
    with edges.opened(read_site=False) as session:
        record = MaintenanceRecord("A restore.", "anna@laptop", 1, 1772447400)
        found = told.findings(session, {"edge1": record})
    assert [(finding.host, finding.holds) for finding in found] == [("edge1", False), ("edge2", True)]
    assert found[0].evidence == 'maintenance is on until 2026-03-02 10:30 UTC, by anna@laptop: "A restore."'
    assert found[0].hint == "healthv1 maintenance off ENV"
