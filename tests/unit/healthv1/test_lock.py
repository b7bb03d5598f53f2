"""The real scripts of the lock, run on this machine: each folder stands for a host."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import gevent
import pytest

from deploys.operations.files import file
from healthv1.errors import Fault, HostError, LockError
from healthv1.lock.acquire import release_all, take
from healthv1.lock.holder import HeldBySomebody, LockClaim, Terms
from healthv1.lock.lease import Holding
from healthv1.lock.locking import wait
from healthv1.lock.place import ask
from healthv1.output.redaction import redactor
from healthv1.rollout import stages


@dataclass(frozen=True)
class Folder:
    kept: str
    needed: bool = True

    @property
    def name(self):
        return Path(self.kept).name

    def run(self, text, timeout):
        done = subprocess.run(["sh", "-s"], input=text, capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode:
            raise HostError(Fault(self.name, done.stderr.strip()))
        return done.stdout

    @property
    def record(self):
        return Path(self.kept) / "lock"


@pytest.fixture
def hosts(tmp_path):
    return [Folder(str(tmp_path / name)) for name in ("host1", "host2", "host3", "host4")]


def claim(holder, lease=60, reason="", command="apply"):
    return LockClaim("production", command, lease, reason, holder)


ANNA, BELA = claim("anna@laptop", reason="new certificate"), claim("bela@ci")


def quiet(_sentence):
    pass


def grown_older(folder, seconds, *, rebooted=False):
    """Let the holder not have been heard of for so long."""
    text = folder.record.read_text()
    for field in ("beat",) if rebooted else ("up", "beat"):
        was = re.search(rf"^{field}=(\d+)$", text, re.MULTILINE)[1]
        text = text.replace(f"\n{field}={was}", f"\n{field}={int(was) - seconds}")
    if rebooted:
        text = re.sub(r"\nboot=.*\nup=.*", "\nboot=another\nup=999999999", text)
    folder.record.write_text(text)


def test_who_comes_second_is_refused_with_the_holder_the_command_and_the_reason(hosts):
    take(hosts, ANNA)
    with pytest.raises(HeldBySomebody) as refusal:
        take(hosts, BELA)
    assert all(words in str(refusal.value) for words in ("anna@laptop", "apply", "new certificate", "--lock-wait"))
    release_all(hosts, ANNA)
    had, left_out = take(hosts, BELA)
    assert (list(had), left_out) == (hosts, ())


def test_a_record_is_for_its_owner_alone(hosts):
    take(hosts[:1], ANNA)
    assert hosts[0].record.stat().st_mode & 0o777 == 0o600
    assert Path(hosts[0].kept).stat().st_mode & 0o777 == 0o700


def test_of_operators_who_try_at_the_same_moment_one_has_all_hosts_or_none_has_any(hosts):
    for _ in range(3):
        claims = [claim(f"operator{number}") for number in range(4)]
        tries = [gevent.spawn(_tried, hosts[:3], one) for one in claims]
        gevent.joinall(tries)
        winners = [one.value for one in tries if one.value]
        assert len(winners) == 1
        assert [ask(host, "show").held.token for host in hosts[:3]] == [winners[0].token] * 3
        release_all(hosts, winners[0])


def _tried(hosts, one):
    try:
        take(hosts, one)
    except HeldBySomebody:
        return None
    return one


def test_operators_who_reach_different_hosts_never_both_have_it_and_leave_nothing(hosts):
    views = (hosts[:3], hosts[1:])
    for _ in range(3):
        claims = [claim("anna@laptop"), claim("bela@ci")]
        tries = [gevent.spawn(_tried, view, one) for view, one in zip(views, claims, strict=True)]
        gevent.joinall(tries)
        winners = [one.value for one in tries if one.value]
        assert len(winners) <= 1
        held = {found.token for host in hosts if (found := ask(host, "show").held)}
        assert held == {one.token for one in winners}
        for one in winners:
            release_all(hosts, one)


def test_a_host_that_cannot_be_locked_is_explained_and_what_was_taken_is_given_back(hosts):
    full = Folder("/proc/no-room-here")
    with pytest.raises(HostError, match="no-room-here"):
        take([hosts[0], full, hosts[1]], ANNA)
    assert [ask(host, "show").held for host in hosts[:2]] == [None, None]


def test_a_host_that_takes_no_part_is_locked_or_left_out(hosts):
    away, stranger = Folder("/proc/away", needed=False), Folder(hosts[1].kept, needed=False)
    had, left_out = take([away, stranger, hosts[2]], ANNA)
    assert list(had) == [stranger, hosts[2]]
    assert [fault.where for fault in left_out] == ["away"]
    with pytest.raises(HeldBySomebody):  # another, who changes another host, meets it there
        take([hosts[1], hosts[3]], BELA)


@pytest.mark.parametrize("rebooted", [False, True])
def test_a_lock_whose_holder_is_silent_is_free_after_its_lease_and_not_before(hosts, rebooted):
    take(hosts[:1], ANNA)
    grown_older(hosts[0], 58, rebooted=rebooted)
    with pytest.raises(HeldBySomebody):
        take(hosts[:1], BELA)
    grown_older(hosts[0], 4, rebooted=rebooted)
    had, _ = take(hosts[:1], BELA)
    assert had[hosts[0]].holder == "anna@laptop"
    assert ask(hosts[0], "renew", ANNA.token).verdict == "lost"


def test_a_clock_that_somebody_sets_frees_no_lock(hosts):
    take(hosts[:1], ANNA)
    hosts[0].record.write_text(re.sub(r"^beat=.*", "beat=1", hosts[0].record.read_text(), flags=re.MULTILINE))
    with pytest.raises(HeldBySomebody):
        take(hosts[:1], BELA)


def test_a_living_holder_renews_and_a_killed_one_does_not(hosts):
    short = claim("anna@laptop", lease=2)
    had, _ = take(hosts[:2], short)
    holding = Holding(short, had, quiet)
    gevent.sleep(3)
    holding.check()
    with pytest.raises(HeldBySomebody):
        take(hosts[:2], BELA)
    holding._renewing.kill()
    for host in hosts[:2]:
        assert ask(host, "show").held.age <= 2
    gevent.sleep(3.5)
    take(hosts[:2], BELA)
    with pytest.raises(LockError, match="bela@ci"):
        holding.check()


def test_what_kept_the_process_busy_is_made_up_for_before_the_next_operation(hosts):
    had, _ = take(hosts[:1], ANNA)
    holding = Holding(ANNA, had, quiet)
    grown_older(hosts[0], 50)
    holding._renewed_at[hosts[0]] -= 50
    holding.check()
    assert ask(hosts[0], "show").held.age < 10
    holding.release()
    assert ask(hosts[0], "show").held is None


def test_a_lock_that_cannot_be_renewed_for_longer_than_its_lease_is_lost(hosts):
    holding = Holding(claim("anna@laptop", lease=40), [Folder("/proc/away")], quiet)
    holding._renewed_at = dict.fromkeys(holding._renewed_at, 0)
    with pytest.raises(LockError, match="away: Its lock could not be renewed"):
        holding.check()
    holding.release()


def test_whose_lock_was_released_by_force_is_told_before_the_next_operation(hosts):
    had, _ = take(hosts[:1], ANNA)
    holding = Holding(ANNA, had, quiet)
    release_all(hosts[:1], ANNA)
    holding.renew_all()
    with pytest.raises(LockError, match="by force"):
        holding.check()


def test_who_waits_says_for_whom_and_has_it_when_it_is_free(hosts):
    take(hosts[:1], ANNA)
    said = []
    gevent.spawn_later(1, release_all, hosts[:1], ANNA)
    had, _ = wait(lambda: take(hosts[:1], BELA), Terms(wait=20), said.append)
    assert list(had) == hosts[:1]
    assert len(said) == 1
    assert "anna@laptop" in said[0]


def test_who_waited_in_vain_is_refused(hosts):
    take(hosts[:1], ANNA)
    with pytest.raises(HeldBySomebody):
        wait(lambda: take(hosts[:1], BELA), Terms(wait=0.5), quiet)


def test_a_reason_of_several_lines_is_one_line_and_quotes_are_text(hosts):
    odd = claim("eve@x", reason="it's $(touch /tmp/never)\ntoken=mine\nlease=1 \x1b[31m")
    take(hosts[:1], odd)
    held = ask(hosts[0], "show").held
    assert held.reason == "it's $(touch /tmp/never) token=mine lease=1 [31m"
    assert (held.token, held.lease) == (odd.token, 60)
    assert len(claim("eve@x", reason="x" * 5000).text) < 1000


def test_a_reason_tells_no_secret_whole_or_in_part():
    redactor.add("a-secret-in-a-reason")
    for before in (0, 190):
        assert "xa-" not in claim("eve@x", reason=f"{'x' * before}xa-secret-in-a-reason").text


def test_what_is_no_record_locks_nobody_out(hosts):
    take(hosts[:1], ANNA)
    hosts[0].record.write_text("\x00\n")
    assert ask(hosts[0], "show").held is None
    take(hosts[:1], BELA)
    assert ask(hosts[0], "show").held.holder == "bela@ci"


def test_a_run_whose_lock_is_lost_stops_before_its_next_operation(converge, owner, tmp_path, monkeypatch):
    apply, first, second = stages.apply, tmp_path / "first", tmp_path / "second"

    def check():
        if first.exists():
            raise LockError(Fault("host1", "Somebody released our lock by force."))

    def watched(session, *arguments):
        session.check_lock = check
        return apply(session, *arguments)

    def body():
        file(name="Write the first", path=str(first), content=lambda: "x\n", mode="0640", **owner)
        file(name="Write the second", path=str(second), content=lambda: "x\n", mode="0640", **owner)

    monkeypatch.setattr(stages, "apply", watched)
    run = converge(body)
    assert [fault.what for fault in run.faults] == ["Somebody released our lock by force."]
    assert [change.target for change in run.made] == [str(first)]
    assert not second.exists()
