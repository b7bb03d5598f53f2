"""How psql is told who it is."""

from types import SimpleNamespace

from healthv1.access.shell import passfile
from healthv1.access.ssh_client import command_line
from healthv1.secrets.vault.database_logins import Lease


def test_a_password_file_escapes_what_libpq_reads():
    assert passfile(Lease("v-a", "x:y\\z", "id", 60)) == "*:*:*:v-a:x\\:y\\\\z\n"
    assert "x:y" not in repr(Lease("v-a", "x:y\\z", "id", 60))


def _line(agent=None, **data):
    return " ".join(command_line(SimpleNamespace(name="db1", data=data), agent))


def test_ssh_is_told_what_the_inventory_says():
    line = _line(ssh_hostname="10.0.0.1", ssh_user="admin", ssh_key="/key", ssh_port=2222, ssh_known_hosts_file="/k")
    for words in ("-p 2222", "-l admin", "-i /key", "UserKnownHostsFile=/k", "IdentitiesOnly=yes"):
        assert words in line
    assert line.endswith("-- 10.0.0.1")


def test_a_signed_key_is_asked_of_our_agent_and_the_ordinary_one_need_not_exist():
    line = _line("/run/agent", ssh_user="admin", ssh_key="/key")
    assert "IdentityAgent=/run/agent" in line
    assert "IdentitiesOnly" not in line
