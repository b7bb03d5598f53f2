"""Who may come in, and from where, once the options are on; and that they cost nothing while they are off."""

import shlex
import subprocess

import pytest

from deploys.cluster import Cluster
from deploys.component import template
from deploys.facts.sshd import SshdFiles, SshdOnHost
from deploys.faults import Refused
from deploys.postgresql.configuration import listen_addresses, vault_networks
from deploys.postgresql.reading import reading_checks
from deploys.postgresql.settings import MAKER, READER, Reading
from deploys.sshd.checks import checks, penalties_check
from deploys.sshd.settings import Sshd
from deploys.stack import Stack, Topology
from deploys.ufw.rules import rules

ALONE = Topology.seen_from("10.0.0.1", {"database": ["10.0.0.1"], "api": ["10.0.0.1"], "edge": ["10.0.0.1"]})
STACK = Stack(domain="api.example.com")


class Nobody:
    mount, role = "database", "us"


READING = Reading(logins=Nobody(), vault_addresses=("10.0.0.9",))


def _hba(reading):
    values = {"stack": STACK, "peers": (), "vault": vault_networks(reading), "maker": MAKER, "reader": READER}
    return template("postgresql/pg_hba.conf", **values)()


def test_nothing_is_trusted_unless_asked_for():
    assert Sshd().certificates is None
    assert "health_reader" not in _hba(None)
    assert listen_addresses(ALONE) == ("127.0.0.1",)


def test_only_vault_reaches_postgresql_and_only_over_tls():
    assert listen_addresses(ALONE, READING) == ("127.0.0.1", "10.0.0.1")
    added = set(_hba(READING).splitlines()) - set(_hba(None).splitlines())
    assert {" ".join(line.split()) for line in added if not line.startswith("#")} == {
        "local health_v1_prod +health_reader scram-sha-256",
        "hostssl postgres health_vault 10.0.0.9/32 scram-sha-256",
    }
    found = [str(one) for one in rules((), STACK, ALONE, ["database"], [22], READING.vault_addresses)]
    assert found == ["22/tcp from anywhere", "5432/tcp from 10.0.0.9"]


@pytest.mark.parametrize(
    "wrong",
    [{"vault_addresses": ()}, {"vault_addresses": ("vault.local",)}, {"withheld": ("users",)}, {"logins": object()}],
)
def test_what_would_not_work_is_refused(wrong):
    with pytest.raises(Refused):
        Reading(**{"logins": Nobody(), "vault_addresses": ("10.0.0.9",), **wrong})


def test_every_claim_is_shell():
    cluster = Cluster(17, 5432)
    for check in (
        penalties_check(),
        *checks("admin", "ssh-ed25519 AAAA it's\n"),
        *reading_checks(cluster, STACK, READING),
    ):
        assert subprocess.run(["sh", "-n", "-c", check.command], check=False).returncode == 0, check.claim
        assert shlex.split(check.command)


@pytest.fixture
def reads(tmp_path):
    """Return a function that asks what sshd reads, where its own file says `text` and drop-ins are those given."""
    (tmp_path / "sshd_config.d").mkdir()

    def asked(text, **drop_ins):
        (tmp_path / "sshd_config").write_text(text)
        for name, said in drop_ins.items():
            (tmp_path / f"sshd_config.d/{name.replace('_', '-')}.conf").write_text(said)
        script = SshdFiles().command().replace("/etc/ssh", str(tmp_path)).replace("systemctl", "false")
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        return SshdFiles().process(done.stdout.replace(str(tmp_path), "/etc/ssh").splitlines())

    return asked


INCLUDE = "Include /etc/ssh/sshd_config.d/*.conf\n"


def test_a_folder_that_sshd_does_not_read_is_noticed(reads, tmp_path):
    here = INCLUDE.replace("/etc/ssh", str(tmp_path))
    assert reads(here) == SshdOnHost()
    assert reads(f"Port 22\n{here}").includes
    assert reads('include "sshd_config.d/*.conf" other.conf\n').includes, "it is relative to /etc/ssh"
    assert not reads(f"# {here}").includes
    assert not reads("Include /etc/ssh/more/*.conf\n").includes
    assert not reads(f"Match User backup\n{here}").includes, "that is of one account"


def test_punishments_that_the_owner_chose_are_told_and_ours_are_not_taken_for_it(reads, tmp_path):
    here = INCLUDE.replace("/etc/ssh", str(tmp_path))
    ours = {"00_health_v1_penalties": "PerSourcePenalties no\n"}
    assert reads(here, **ours).penalties == ()
    assert reads(f"{here}#PerSourcePenalties no\n", **ours).penalties == ()
    assert reads(f"{here}PerSourcePenalties authfail:9\n", **ours).penalties == ("/etc/ssh/sshd_config",)
    found = reads(here, strict=" persourcepenaltyexemptlist 192.0.2.1\n")
    assert found.penalties == ("/etc/ssh/sshd_config.d/strict.conf",)
