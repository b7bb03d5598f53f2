"""Who may come in, and from where, once the options are on; and that they cost nothing while they are off."""

import shlex
import subprocess

import pytest

from deploys.cluster import Cluster
from deploys.component import template
from deploys.faults import Refused
from deploys.postgresql.configuration import addresses, sources
from deploys.postgresql.reading import reading_checks
from deploys.postgresql.settings import MAKER, READER, Reading
from deploys.sshd.checks import checks
from deploys.sshd.settings import Sshd
from deploys.stack import Stack, Topology
from deploys.ufw.rules import rules

ALONE = Topology.seen_from("10.0.0.1", {"database": ["10.0.0.1"], "api": ["10.0.0.1"], "edge": ["10.0.0.1"]})
STACK = Stack(domain="api.example.com")


class Nobody:
    mount, role = "database", "us"


READING = Reading(logins=Nobody(), vault_addresses=("10.0.0.9",))


def _hba(reading):
    values = {"stack": STACK, "peers": (), "vault": sources(reading), "maker": MAKER, "reader": READER}
    return template("postgresql/pg_hba.conf", **values)()


def test_nothing_is_trusted_unless_asked_for():
    assert Sshd().certificates is None
    assert "health_reader" not in _hba(None)
    assert addresses(ALONE) == ("127.0.0.1",)


def test_only_vault_reaches_postgresql_and_only_over_tls():
    assert addresses(ALONE, READING) == ("127.0.0.1", "10.0.0.1")
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
    for check in (*checks("admin", "ssh-ed25519 AAAA it's\n"), *reading_checks(cluster, STACK, READING)):
        assert subprocess.run(["sh", "-n", "-c", check.command], check=False).returncode == 0, check.claim
        assert shlex.split(check.command)
