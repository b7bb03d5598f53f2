"""Who is banned and who never is, as fail2ban reads it."""

import configparser
import os
import subprocess

import pytest

from deploys.component import template
from deploys.fail2ban.checks import DOCUMENTATION, enforced
from deploys.fail2ban.settings import Fail2ban
from deploys.faults import Refused


def _jails(edge=True, **changed):
    values = {"settings": Fail2ban(), "never": ("127.0.0.0/8", "10.0.0.2"), "spare": "/spare", "ssh": [22, 2222]}
    text = template("fail2ban/jail.local", edge=edge, log="/a.log", **{**values, **changed})()
    found = configparser.ConfigParser(interpolation=None)
    found.read_string(text)
    return found


def test_sshd_is_guarded_by_the_journal_on_its_real_ports():
    sshd = _jails()["sshd"]
    assert (sshd["enabled"], sshd["backend"], sshd["mode"], sshd["port"]) == (
        "true",
        "systemd",
        "aggressive",
        "22,2222",
    )
    assert (sshd["maxretry"], sshd["bantime"], sshd["findtime"]) == ("5", "3600", "600")


def test_the_operator_is_spared_in_every_jail():
    for name, jail in _jails().items():
        assert jail["ignoreip"] == "127.0.0.0/8 10.0.0.2", name
        assert jail["ignorecommand"] == "/spare <ip>", name


def test_only_an_edge_host_watches_nginx():
    assert _jails(edge=False).sections() == ["sshd"]
    assert _jails().sections() == ["sshd", "nginx-limits", "nginx-botsearch"]
    assert _jails()["nginx-limits"]["maxretry"] == "1000"


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "10.0.0.1/8", "office.example.com", "1.2.3.4 0.0.0.0/0"])
def test_an_exception_for_everybody_or_nobody_is_refused(network):
    with pytest.raises(Refused, match="never_ban"):
        Fail2ban(never_ban=(network,))


def test_wrong_values_are_refused_by_name():
    for changed in ({"maxretry": 0}, {"bantime_maximum": 100}, {"spare_logins_of_days": 0}, {"nginx_rejections": 5}):
        with pytest.raises(Refused, match=next(iter(changed))):
            Fail2ban(**changed)
    assert Fail2ban(never_ban=("192.0.2.0/24", "fd00::/8", "192.0.2.1")).never_ban[0] == "192.0.2.0/24"


@pytest.fixture
def spares(tmp_path):
    """Return a function that asks the script of an address, over a journal that says `lines`."""
    script = template("fail2ban/health-v1-spare", days=30)().replace(
        "/var/lib/health-v1/logins", str(tmp_path / "known")
    )

    def asked(address, *lines):
        journal = tmp_path / "journalctl"
        said = "".join(f"{line}\n" for line in lines)
        (tmp_path / "said").write_text(said)
        journal.write_text(
            '#!/bin/sh\nfor word; do case $word in --cursor-file=*) echo at > "${word#*=}";; esac; done\n'
            f"cat {tmp_path}/said\n"
        )
        journal.chmod(0o755)
        path = f"{tmp_path}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", script, "spare", address], env={"PATH": path}, capture_output=True, check=False
        )
        assert done.stderr == b""
        return done.returncode == 0

    return asked


def _said(message, ago=60):
    at = int(subprocess.run(["date", "+%s"], capture_output=True, check=True).stdout) - ago
    return f"{at}.123456 host1 sshd-session[77]: {message}"


ACCEPTED = "Accepted publickey for admin from {} port 4711 ssh2: ED25519 SHA256:abc"


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
def test_who_has_logged_in_with_a_key_is_spared_also_when_the_journal_is_gone(spares, address):
    assert not spares(address)
    assert spares(address, _said(ACCEPTED.format(address)))
    assert spares(address)


def test_whose_login_is_long_ago_is_not_spared(spares):
    assert not spares("192.0.2.7", _said(ACCEPTED.format("192.0.2.7"), ago=31 * 86400))


def test_a_login_by_password_or_a_similar_address_spares_nobody(spares):
    assert not spares("192.0.2.7", _said("Accepted password for admin from 192.0.2.7 port 4711 ssh2"))
    assert not spares("192.0.2.7", _said(ACCEPTED.format("192.0.2.77")), _said(ACCEPTED.format("192x0x2x7")))


def test_a_name_that_reads_like_a_login_spares_nobody(spares):
    forged = ACCEPTED.format("192.0.2.7")
    assert not spares("192.0.2.7", _said(f"Invalid user {forged} from 198.51.100.1 port 1"))
    assert not spares("192.0.2.7", _said(f"Invalid user x sshd[1]: {forged} from 198.51.100.1 port 1"))


def test_bans_that_the_kernel_has_lost_are_noticed(tmp_path):
    banned = "[{'sshd': ['192.0.2.1']}, {'other': ['192.0.2.2', '2001:db8::1']}, {'theirs': ['192.0.2.3']}]"
    for program, said in (("nft", "elements = { 192.0.2.1, 192.0.2.2, 2001:db8::1 }"), ("fail2ban-client", banned)):
        (tmp_path / program).write_text(f'#!/bin/sh\necho "{said}"\n')
        (tmp_path / program).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def holds():
        return subprocess.run(["sh", "-c", enforced(("sshd", "other"))], env=environment, check=False).returncode == 0

    assert holds()
    (tmp_path / "nft").write_text(f"#!/bin/sh\necho 'elements = {{ {DOCUMENTATION} }}'\n")
    assert not holds()
    (tmp_path / "nft").write_text("#!/bin/sh\necho 'elements = { 192.0.2.1, 192.0.2.2 }'\n")
    assert not holds(), "the last of the last jail"
    (tmp_path / "fail2ban-client").write_text("#!/bin/sh\necho 'Sorry but the jail does not exist: dead.'\n")
    assert holds(), "what is no address was taken for one"
